import { describe, expect, it } from 'vitest'
import type { UserId } from '../../src/id.ts'
import { SendOrder } from '../../src/message/send-order.ts'

const sender = 1 as UserId

describe('The order of one sender', () => {
  it('is kept when a send between two others fails', async () => {
    const order = new SendOrder()
    const appended: string[] = []
    const append = (name: string) => async () => {
      appended.push(name)
    }
    let open = () => {}
    const slow = new Promise<void>((resolve) => {
      open = resolve
    })
    const first = order.run(sender, () => slow, append('first'))
    const second = order.run(sender, () => Promise.reject(new Error('the store is away')), append('second'))
    const third = order.run(sender, null, append('third'))
    const failure = second.catch((error: Error) => error.message)
    // All that can happen without the first has happened when the turn of the event loop ends.
    await new Promise(setImmediate)
    expect(appended).toEqual([])
    open()
    await Promise.all([first, third])
    expect(await failure).toBe('the store is away')
    expect(appended).toEqual(['first', 'third'])
  })
})
