// A slow disk: a library preloaded into Postgres, whose fdatasync (which flushes the WAL) sleeps before it returns. The delay
// can change while Postgres runs. It needs a C compiler.

import { execFile } from 'node:child_process'
import { renameSync, writeFileSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import path from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** The library reads the delay from a file at each call and while it sleeps, so that a test can end a long sleep. */
const source = (file: string) => `#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
static long wanted(void) {
  char text[24] = {0};
  int file = open(${JSON.stringify(file)}, O_RDONLY);
  if (file < 0) return 0;
  ssize_t size = read(file, text, sizeof text - 1);
  close(file);
  return size > 0 ? atol(text) : 0;
}
int fdatasync(int file) {
  static int (*real)(int);
  if (!real) real = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
  int result = real(file);
  for (long slept = 0, left; (left = wanted() - slept) > 0; slept += left) {
    if (left > 20000) left = 20000;
    usleep(left);
  }
  return result;
}
`

/** A slow disk. */
export type SlowDisk = {
  /** How much longer each flush takes from now on, including one under way. */
  setDelay(ms: number): void
  /** Runs `start` with the library preloaded: only the processes that it spawns have this disk. */
  preloaded<T>(start: () => Promise<T>): Promise<T>
}

/** Whether such a disk is available: on Linux with a C compiler. */
export async function canBeSlow(): Promise<boolean> {
  if (process.platform !== 'linux') return false
  return run('cc', ['--version']).then(
    () => true,
    () => false,
  )
}

/**
 * Makes a slow disk, whose files are in a directory that Postgres can read. It starts without a delay. @throws without a C
 * compiler
 */
export async function slowDisk(directory: string): Promise<SlowDisk> {
  const [delayFile, sourceFile, library] = ['delay', 'slow-disk.c', 'slow-disk.so'].map((name) => path.join(directory, name))
  if (!delayFile || !sourceFile || !library) throw new Error('there are three')
  const setDelay = (ms: number) => {
    writeFileSync(`${delayFile}.new`, String(Math.round(ms * 1_000)), { mode: 0o644 })
    renameSync(`${delayFile}.new`, delayFile)
  }
  setDelay(0)
  await writeFile(sourceFile, source(delayFile))
  await run('cc', ['-shared', '-fPIC', '-O2', '-o', library, sourceFile, '-ldl'])
  return {
    setDelay,
    async preloaded(start) {
      // biome-ignore lint/style/noProcessEnv: what is spawned inherits it
      const environment = process.env
      environment.LD_PRELOAD = library
      try {
        return await start()
      } finally {
        delete environment.LD_PRELOAD
      }
    },
  }
}
