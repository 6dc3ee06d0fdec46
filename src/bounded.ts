// Bounds caches by their number of entries, without allocating memory for all of them at start.

/**
 * The options of an `LRUCache` that bound it to this many entries. The library's own `max` allocates memory for all of them at
 * once: for a million entries about 30 MiB, and half a second at the start of each node.
 */
export function entriesMax(entries: number) {
  return { maxSize: entries, sizeCalculation: () => 1 } as const
}
