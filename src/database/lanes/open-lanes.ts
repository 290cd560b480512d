import type { Logger } from 'pino'
import { type BatchLimits, encodeUnnamed, prepareAll } from '../batch/batch.ts'
import type { OpenLane } from '../batch/lane.ts'
import { clientConfig, keepsNames } from '../drivers/connection-url.ts'
import type { Driver } from '../drivers/driver.ts'
import { loadNeonDriver } from '../drivers/neon-driver.ts'
import { HttpLane } from '../drivers/neon-http.ts'
import { webSocketCarrier } from '../drivers/neon-ws.ts'
import { type Carrier, tcpCarrier } from '../drivers/tcp.ts'
import { unreachable } from '../failures/failed-connects.ts'
import { comparison, type ProtectionWatch } from '../protection/watch.ts'
import type { AnyStatement } from '../statements/statement.ts'
import { Connection, type Encodings } from './connection.ts'
import { type LaneLimits, Lanes, laneLimits } from './lanes.ts'

export type LanesOptions = {
  url: string
  /** The way to the database; TCP by default. */
  driver?: Driver
  statements: readonly AnyStatement[]
  log: Logger
  limits?: Partial<LaneLimits & BatchLimits>
}

/**
 * Opens the lanes to a database with the chosen driver, and the first of them. Each opened lane reports its
 * comparison to `watch`.
 * Neon's driver is loaded only when it is chosen.
 * @throws StartError when the first lane cannot be opened.
 */
export async function openLanes(options: LanesOptions, watch: ProtectionWatch): Promise<Lanes> {
  const limits = { ...laneLimits, ...options.limits }
  const by = await lanesBy(options, limits, watch)
  const lanes = new Lanes({ ...by, log: options.log })
  try {
    await lanes.connect()
  } catch (error) {
    await lanes.close()
    throw unreachable(error, 'DATABASE_URL')
  }
  watch.compareBy(async () => {
    const another = await by.open({ connectMs: limits.connectMs, onEnd: () => undefined })
    await another.close()
  })
  return lanes
}

async function lanesBy(
  { url, driver = 'postgres', statements, limits: given = {} }: LanesOptions,
  limits: LaneLimits,
  watch: ProtectionWatch,
): Promise<{ open: OpenLane; limits: LaneLimits }> {
  const compared = watch.note.bind(watch)
  if (driver === 'neon-http') {
    const neon = await loadNeonDriver()
    const request = { driver: neon, url, limits: given, batchMs: limits.batchMs, compared }
    // One lane stands for all connections. The limit of connections becomes its limit of requests in flight.
    const shared = { ...limits, connections: 1, inFlight: limits.connections }
    return { open: (opening) => HttpLane.open({ ...request, ...opening }), limits: shared }
  }
  const encodings: Encodings = {
    preparation: prepareAll(statements, given),
    unnamed: encodeUnnamed(given),
    comparison,
    names: keepsNames(url) ? 'kept' : 'ask',
  }
  const over =
    (carrier: () => Carrier): OpenLane =>
    (opening) =>
      Connection.open({ carrier: carrier(), encodings, compared, ...opening })
  if (driver === 'neon-ws') {
    const neon = await loadNeonDriver()
    return { open: over(() => webSocketCarrier(neon, url)), limits: { ...limits, inFlight: 1 } }
  }
  const config = clientConfig(url)
  return { open: over(() => tcpCarrier(config)), limits }
}
