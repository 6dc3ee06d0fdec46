// The page of results: a section for each line. A run of some lines replaces only their sections.

import { readFile, writeFile } from 'node:fs/promises'
import type { Line, Result } from './line.ts'

const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`

/** A line's results as a section, with their date and load. */
export function sectionOf({ title }: Line, { columns, rows, goals, notes, plots }: Result, taken: string): string {
  return [
    `## ${title}`,
    '',
    taken,
    '',
    row(columns),
    row(columns.map(() => '---')),
    ...rows.map(row),
    '',
    row(['Goal', 'Measured', '']),
    row(['---', '---', '---']),
    ...goals.map(({ goal, measured, isMet }) => row([goal, measured, isMet ? 'met' : '**not met**'])),
    '',
    ...notes.map((note) => `- ${note}`),
    '',
    ...Object.keys(plots ?? {}).flatMap((file) => [`![${title}](${file})`, '']),
  ].join('\n')
}

/** Puts sections on the page, in the order of the lines; sections of other lines stay. */
export async function writePage(
  file: URL,
  lines: readonly Line[],
  sections: ReadonlyMap<string, string>,
  machine: readonly string[],
): Promise<void> {
  const before = await readFile(file, 'utf8').catch(() => '')
  const kept = new Map(
    before
      .split(/^(?=## )/m)
      .slice(1)
      .map((section) => [/^## (.*)/.exec(section)?.[1] ?? '', section]),
  )
  const body = lines.map(({ title }) => sections.get(title) ?? kept.get(title)).filter((section) => section !== undefined)
  const head = ['# What Parley costs', '', '`npm run bench` makes this page.', '', ...machine, '', '']
  await writeFile(file, `${head.join('\n')}${body.map((section) => `${section.trimEnd()}\n`).join('\n')}`)
}
