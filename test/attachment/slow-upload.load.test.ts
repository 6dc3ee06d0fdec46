// Uploads that hold a connection: silent ones are cut, and a crowd of them hinders nobody.

import { request as httpRequest } from 'node:http'
import { expect, test } from 'vitest'
import { type Device, signUpAll } from '../support/device.ts'
import { openNode } from '../support/node.ts'
import { begin, resolved, textFile, upload } from './files.ts'

const size = 1_000_000
const large = { name: 'x.bin', type: 'application/octet-stream', bytes: Buffer.alloc(size) }

test('an upload that falls silent is cut, and others of the user go on meanwhile', { timeout: 90_000 }, async () => {
  const node = await openNode()
  const [alice, bob] = (await signUpAll(node, 'Alice', 'Bob')) as [Device, Device]
  const silent = await Promise.all(
    Array.from({ length: 8 }, async () => {
      const { upload: how } = await begin(alice, large)
      const sent = httpRequest(new URL(resolved(alice, how.url)), { method: 'PUT', headers: { 'content-length': size } })
      const ended = new Promise((resolve) => sent.once('error', resolve).once('close', resolve))
      sent.write(Buffer.alloc(1_000))
      return { ended }
    }),
  )
  // She has as many as a node receives of one user at once; he has none.
  await expect(upload(alice, textFile())).rejects.toThrow('429')
  await upload(bob, textFile())
  const begun = performance.now()
  await Promise.all(silent.map(({ ended }) => ended))
  expect(performance.now() - begun).toBeLessThan(40_000)
  await upload(alice, textFile())
})
