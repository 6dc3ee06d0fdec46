// Where a node may send notifications: to the public internet, and never into its own network.

import { createServer } from 'node:http'
import type { AddressInfo, LookupFunction } from 'node:net'
import { expect, test } from 'vitest'
import { confinedLookup, isPublic, PrivateAddressError } from '../../src/push/providers/addresses.ts'
import { openPoster } from '../../src/push/providers/post.ts'
import { signUp } from '../support/device.ts'
import { closeAtEnd, openNode } from '../support/node.ts'
import { RegisterPushSubscription } from './documents.ts'
import { Subscription } from './push-service.ts'
import { vapid } from './support.ts'

test.each([
  ...['0.0.0.0', '10.0.0.1', '100.64.0.1', '127.0.0.1', '127.255.255.254', '169.254.169.254', '172.16.0.1', '172.31.255.255'],
  ...['192.0.0.8', '192.0.2.1', '192.168.1.1', '198.18.0.1', '198.51.100.1', '203.0.113.1', '224.0.0.1', '255.255.255.255'],
  ...[
    '::',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:8.8.8.8',
    '::ffff:7f00:1',
    '::127.0.0.1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '100::1',
  ],
  ...['2001::1', '2001:db8::1', '2002:7f00:1::1', '3fff::1', 'fc00::1', 'fd12:3456::1', 'fe80::1', 'fec0::1', 'ff02::1'],
  ...['', 'localhost', '1.2.3', '0x7f000001', 'fe80::1%eth0'],
])('N9 %s is no public address', (address) => {
  expect(isPublic(address)).toBe(false)
})

test.each([
  '1.1.1.1',
  '8.8.8.8',
  '172.15.255.255',
  '172.32.0.1',
  '100.63.0.1',
  '223.255.255.255',
  '2606:4700::1111',
  '2a00:1450::1',
])('N9 %s is a public address', (address) => {
  expect(isPublic(address)).toBe(true)
})

const look = (host: string, all: boolean) =>
  new Promise<unknown>((resolve, reject) => {
    const options: Parameters<LookupFunction>[1] = { all }
    confinedLookup(isPublic)(host, options, (error, address) => (error ? reject(error) : resolve(address)))
  })

test('N9 a name with a private address is not connected to, even if another of its addresses is public', async () => {
  await expect(look('localhost', true)).rejects.toBeInstanceOf(PrivateAddressError)
  await expect(look('localhost', false)).rejects.toBeInstanceOf(PrivateAddressError)
  const post = openPoster(isPublic).post(new URL('http://localhost:9/'), { headers: {}, body: Buffer.from('') })
  await expect(post).rejects.toBeInstanceOf(PrivateAddressError)
})

test('N9 an IP address as the host is checked itself', async () => {
  const poster = openPoster(isPublic)
  for (const host of ['127.0.0.1', '[::1]', '[::ffff:127.0.0.1]', '2130706433', '0x7f.1'])
    await expect(poster.post(new URL(`http://${host}:9/`), { headers: {}, body: Buffer.from('') }), host).rejects.toBeInstanceOf(
      PrivateAddressError,
    )
})

test('N9 follows no redirect, and cuts off an endless answer', async () => {
  let requests = 0
  const server = createServer((request, response) => {
    requests += 1
    if (request.url === '/away') response.writeHead(307, { location: '/elsewhere' }).end()
    else {
      response.writeHead(500)
      const more = () => response.write('x'.repeat(65_536)) && setImmediate(more)
      response.on('drain', more)
      more()
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  closeAtEnd(async () => {
    server.closeAllConnections()
    server.close()
  })
  const poster = openPoster(null)
  const to = (path: string) => new URL(path, `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  const message = { headers: {}, body: Buffer.from('hello') }
  expect(await poster.post(to('/away'), message)).toEqual({ status: 307, retryAfterMs: null })
  expect(requests).toBe(1)
  expect(await poster.post(to('/endless'), message)).toEqual({ status: 500, retryAfterMs: null })
  poster.close()
})

test('N9 a device cannot register a forbidden address', async () => {
  const node = await openNode(vapid)
  const alice = await signUp(node, 'Alice')
  const refused = async (endpoint: string) => {
    const input = { ...new Subscription(endpoint).input }
    const { message, extensions } = await alice.refused(RegisterPushSubscription, { input })
    expect(extensions).toMatchObject({ code: 'BAD_INPUT', argument: 'input.endpoint' })
    return message
  }
  for (const endpoint of [
    'https://127.0.0.1/x',
    'https://[::1]/x',
    'https://10.0.0.1/x',
    'https://localhost/x',
    'https://169.254.169.254/',
    'https://there-is-no-such-host.invalid/x',
  ])
    expect(await refused(endpoint), endpoint).toBe(await refused('https://0x7f.1/x'))
  for (const endpoint of ['https://8.8.8.8:8443/x', 'https://127.0.0.1:22/x', 'https://there-is-no-such-host.invalid:80/x'])
    expect(await refused(endpoint), endpoint).toMatch(/port 443/)
  // The time does not reveal whether a name has a private address or does not exist.
  for (const host of ['localhost', 'there-is-no-such-host.invalid']) {
    const startedAt = performance.now()
    await refused(`https://${host}/y`)
    expect(performance.now() - startedAt, host).toBeGreaterThan(1_450)
  }
  expect(await refused('http://push.example/x')).toMatch(/https/)
  expect(await refused('https://user:secret@8.8.8.8/x')).toMatch(/password/)
  expect(await refused(`https://8.8.8.8/${'x'.repeat(2_000)}`)).toMatch(/characters/)
  expect(await refused('no URL')).toMatch(/URL/)
  const { input } = new Subscription('https://8.8.8.8:443/x')
  for (const wrong of [{ p256dh: 'AAAA' }, { p256dh: Buffer.alloc(65, 4).toString('base64url') }, { auth: 'AAAA' }, { auth: '' }])
    expect((await alice.refused(RegisterPushSubscription, { input: { ...input, ...wrong } })).extensions.code).toBe('BAD_INPUT')
  const { registerPushSubscription } = await alice.run(RegisterPushSubscription, { input })
  expect(registerPushSubscription.session.push).toMatchObject({ provider: 'WEB_PUSH' })
})
