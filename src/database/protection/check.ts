import { StartError } from '../../errors.ts'
import type { Session } from '../batch/session.ts'
import { type Difference, differencesOf } from './differences.ts'
import { lookAtProtection } from './facts.ts'

/** Lists how the rights and policies of a database differ from those that the migrations made. */
export async function findDifferences(session: Session): Promise<Difference[]> {
  return differencesOf(await lookAtProtection(session))
}

/**
 * @throws StartError that names each difference. With `tolerant` it names only those that may open rows to other
 *   owners. The log reports the others when the first connection opens.
 */
export async function refuseDifferences(
  session: Session,
  { tolerant }: { tolerant: boolean },
): Promise<void> {
  const found = (await findDifferences(session)).filter(({ opens }) => opens || !tolerant)
  const [first, ...more] = found.map(({ sentence }) => sentence)
  if (first === undefined) return
  const lines = ['Rights and policies are not those that the migrations made.', first, ...more]
  throw new StartError(more.length === 0 ? first : lines.join('\n  '), 78)
}
