import { expect, test } from 'vitest'
import { addressCounters, createAddressCounters } from '../../src/http/gate/address-counters.ts'

const addresses = Array.from({ length: 1_000 }, (_, i) => `192.0.${i >> 8}.${i & 255}`)

test('an address keeps its counter, and counters are bounded in number', () => {
  const counterOf = createAddressCounters()
  const first = addresses.map(counterOf)
  expect(addresses.map(counterOf)).toEqual(first)
  for (const counter of first) expect(Number(counter)).toBeLessThan(addressCounters)
  // Fewer would make strangers share one.
  expect(new Set(first).size).toBeGreaterThan(950)
})

test('who knows which addresses share a counter in one process knows nothing of another', () => {
  const [here, there] = [createAddressCounters(), createAddressCounters()]
  const alike = addresses.filter((address) => here(address) === there(address))
  expect(alike.length).toBeLessThan(5)
})
