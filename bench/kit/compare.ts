// Compares the figures of a run with those of an earlier one.

import { readFile, writeFile } from 'node:fs/promises'
import { z } from 'zod'
import type { Figure } from './line.ts'
import { median, number } from './stats.ts'

/** The figures of lines, by the line's name. */
export type Figures = { readonly [line: string]: { readonly [figure: string]: Figure } }

const form = z.record(
  z.string(),
  z.record(z.string(), z.object({ better: z.enum(['lower', 'higher']), rounds: z.array(z.number()).min(1) })),
)

/** Reads figures. */
export async function readFigures(file: URL | string): Promise<Figures> {
  return form.parse(JSON.parse(await readFile(file, 'utf8')))
}

/** Writes figures; those of lines that did not run stay. */
export async function writeFigures(file: URL, figures: Figures): Promise<void> {
  const kept = await readFigures(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return {}
    throw error
  })
  await writeFile(file, `${JSON.stringify({ ...kept, ...figures }, null, 2)}\n`)
}

/** The share of a figure that is noise in any case: some figures have one round. */
const noiseMin = 0.05

/**
 * Compares figures with earlier ones. A difference counts if the medians are further apart than the rounds of either run.
 * @returns what got worse and what got better, a sentence each
 */
export function compare(before: Figures, now: Figures): { readonly worse: string[]; readonly better: string[] } {
  const [worse, better]: [string[], string[]] = [[], []]
  for (const [line, figures] of Object.entries(now)) {
    for (const [name, figure] of Object.entries(figures)) {
      const was = before[line]?.[name]
      if (!was) continue
      const [from, to] = [median(was.rounds), median(figure.rounds)]
      const noise = Math.max(spread(was.rounds), spread(figure.rounds), noiseMin * from)
      if (Math.abs(to - from) <= noise) continue
      const isWorse = figure.better === 'lower' ? to > from : to < from
      ;(isWorse ? worse : better).push(`${line}, ${name}: ${number(from, 2)} → ${number(to, 2)} (noise ${number(noise, 2)})`)
    }
  }
  return { worse, better }
}

/** How far the rounds are apart. */
const spread = (rounds: readonly number[]) => Math.max(...rounds) - Math.min(...rounds)
