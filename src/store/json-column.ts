// JSON columns that keep JSON text in the form in which it was given.

import { Prisma } from './generated/client.ts'

/** What Prisma writes into a nullable column for JSON text; null removes it. */
export const jsonColumn = (text: string | null) => (text === null ? Prisma.DbNull : (JSON.parse(text) as Prisma.InputJsonValue))
