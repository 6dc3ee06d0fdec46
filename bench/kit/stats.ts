// Statistics.

/** The median. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5)
}

/** The value below which this share of the values lies. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b)
  const at = (sorted.length - 1) * share
  const [low, high] = [sorted[Math.floor(at)] ?? Number.NaN, sorted[Math.ceil(at)] ?? Number.NaN]
  return low + (high - low) * (at - Math.floor(at))
}

/** A number with this many decimals and thousands separators. */
export function number(value: number, digits = 0): string {
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits })
}

/** A ratio: 1.25x. */
export function times(value: number): string {
  return `${number(value, 2)}x`
}

/** The results of each round for each contestant: in another order each time, so that none is always first. */
export async function inRounds<Name extends string, T>(
  rounds: number,
  names: readonly Name[],
  run: (name: Name, round: number) => Promise<T>,
): Promise<Record<Name, T[]>> {
  const results = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, T[]>
  for (let round = 0; round < rounds; round += 1) {
    const order = names.map((_, index) => names[(index + round) % names.length] as Name)
    for (const name of order) results[name].push(await run(name, round))
  }
  return results
}
