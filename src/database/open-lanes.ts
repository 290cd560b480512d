import { type Carrier, tcpCarrier } from './carrier.ts'
import type { PostgresOptions } from './client.ts'
import { type Batches, Connection, type OpenLane } from './connection.ts'
import { clientConfig, keepsNames } from './connection-url.ts'
import { type LaneLimits, Lanes, laneLimits } from './lanes.ts'
import { prepareAll } from './owner-batch.ts'
import { unnamedOwnerBatches } from './unnamed-batch.ts'
import { unreachable } from './unreachable.ts'

/**
 * The lanes to a database, by the driver that was chosen; the first one is open. Neon's driver is loaded only when
 * it is the one.
 * @throws StartError when the first one cannot be opened.
 */
export async function openLanes(options: PostgresOptions): Promise<Lanes> {
  const limits = { ...laneLimits, ...options.limits }
  const lanes = new Lanes({ ...(await lanesBy(options, limits)), log: options.log })
  try {
    await lanes.connect()
  } catch (error) {
    await lanes.close()
    throw unreachable(error, 'DATABASE_URL')
  }
  return lanes
}

async function lanesBy(
  { url, statements, limits: given = {} }: PostgresOptions,
  limits: LaneLimits,
): Promise<{ open: OpenLane; limits: LaneLimits }> {
  const batches: Batches = {
    preparation: prepareAll(statements, given),
    unnamed: unnamedOwnerBatches(given),
    names: keepsNames(url) ? 'kept' : 'ask',
  }
  const on =
    (carrier: () => Carrier): OpenLane =>
    (opening) =>
      Connection.open({ carrier: carrier(), batches, ...opening })
  const config = clientConfig(url)
  return { open: on(() => tcpCarrier(config)), limits }
}
