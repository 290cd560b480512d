/**
 * One-line breaks, each of which takes away one guarantee. `npm run sabotage` applies them one by one to a copy of
 * the project, and the tests named have to fail: a guarantee whose test cannot fail is none.
 */
export type Sabotage = {
  /** The guarantee that is taken away. */
  readonly name: string
  readonly file: string
  /** Stands exactly once in the file. */
  readonly find: string
  readonly replace: string
  /** Arguments for vitest: the project and the files that have to notice. */
  readonly caughtBy: readonly string[]
}

const plain = (...files: string[]) => ['--project', 'plain', ...files]
const onPglite = (...files: string[]) => ['--project', 'pglite', ...files]
const onPostgres = (...files: string[]) => ['--project', 'postgres', ...files]

export const sabotages: readonly Sabotage[] = [
  {
    name: 'a key source only verifies its own algorithms',
    file: 'src/auth/access-token.ts',
    find: 'source.algorithms.find(',
    replace: '([...keySetAlgorithms, ...secretAlgorithms] as Algorithm[]).find(',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'a signature is checked',
    file: 'src/auth/access-token.ts',
    find: 'await compactVerify(token, key.cryptoKey, { algorithms: [algorithm] })',
    replace: 'await Promise.resolve()',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'an issuer speaks only through its own keys',
    file: 'src/auth/claims.ts',
    find: '!policy.issuers.includes(iss)',
    replace: 'false',
    caughtBy: plain('test/auth'),
  },
  {
    name: 'a token for another audience is refused',
    file: 'src/auth/claims.ts',
    find: '!audiences.some((one) => policy.audiences.includes(one))',
    replace: 'false',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'an expired token is refused',
    file: 'src/auth/claims.ts',
    find: 'nowSeconds >= exp + leewaySeconds',
    replace: 'false',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'a token without an expiry is refused',
    file: 'src/auth/claims.ts',
    find: ' || exp === undefined)',
    replace: ')',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'a token of another type is refused',
    file: 'src/auth/compact-token.ts',
    find: "header.typ !== undefined && header.typ !== 'JWT'",
    replace: 'false',
    caughtBy: plain('test/auth/access-token'),
  },
  {
    name: 'a remembered token dies when its key leaves the set',
    file: 'src/auth/token-cache.ts',
    find: ' || !entry.key.live',
    replace: '',
    caughtBy: plain('test/auth'),
  },
  {
    name: 'unknown key ids cause at most one fetch in an interval',
    file: 'src/auth/key-set.ts',
    find: ' || at - lastRefetchAt < timing.retryMs',
    replace: '',
    caughtBy: plain('test/auth/key-set'),
  },
  {
    name: 'a key set that redirects is not followed',
    file: 'src/auth/key-set.ts',
    find: "redirect: 'manual'",
    replace: "redirect: 'follow'",
    caughtBy: plain('test/auth/key-set'),
  },
  {
    name: 'a demanded scope is demanded',
    file: 'src/auth/demands.ts',
    find: '!scopes.every(',
    replace: '!scopes.some(',
    caughtBy: onPglite('test/auth/demands'),
  },
  {
    name: 'statements say whose rows they mean',
    file: 'src/tasks/statements.ts',
    find: 'const own = and(eq(tasks.owner_id, owner), eq(tasks.id, id))',
    replace: 'const own = and(eq(owner, owner), eq(tasks.id, id))',
    caughtBy: onPostgres('test/isolation/two-locks'),
  },
  {
    name: 'the policy shows only own tasks',
    file: 'migrations/0001_tasks.sql',
    find: "  using (owner_id = nullif(current_setting('app.user_id', true), ''))",
    replace: '  using (true)',
    caughtBy: onPostgres('test/isolation/two-locks'),
  },
  {
    name: 'row-level security is forced',
    // The second migration lifts it for a moment; what it leaves behind is what counts.
    file: 'migrations/0002_quota.sql',
    find: '\nalter table docket.tasks force row level security;',
    replace: '',
    caughtBy: onPostgres('test/database/catalog'),
  },
  {
    name: 'the unprivileged role cannot change whose a task is',
    file: 'migrations/0001_tasks.sql',
    find: 'grant update (title, description, status, updated_at) on docket.tasks to docket_app;',
    replace: 'grant update on docket.tasks to docket_app;',
    caughtBy: onPostgres('test/database/catalog'),
  },
  {
    name: 'every batch drops to the unprivileged role',
    file: 'src/database/owner-batch.ts',
    find: "set_config('role', '",
    replace: "set_config('app.role', '",
    caughtBy: onPostgres('test/isolation/two-locks'),
  },
  {
    name: 'the owner is named for one transaction only',
    file: 'src/database/owner-batch.ts',
    find: "set_config('app.user_id', $1, true)",
    replace: "set_config('app.user_id', $1, false)",
    caughtBy: onPostgres('test/isolation', 'test/database'),
  },
  {
    name: 'a dropped idle connection does not end the process',
    file: 'src/database/carrier.ts',
    find: "      client.on('error', listener)\n",
    replace: '',
    caughtBy: onPostgres('test/database/lost-connection', 'test/database/outage'),
  },
  {
    name: 'a connection that ended while it was opened takes no work',
    file: 'src/database/connection.ts',
    find: 'if (connection.#ended) throw',
    replace: 'if (false) throw',
    caughtBy: onPostgres('test/database/lost-connection'),
  },
  {
    name: 'a worker lives until nothing is on its way to it',
    file: 'src/main.ts',
    find: '  await primary?.parted()\n',
    replace: '',
    caughtBy: onPostgres('test/process/workers'),
  },
  {
    name: 'a write whose answer was lost is not repeated',
    file: 'src/database/failures.ts',
    find: "(again === 'reads' && kind === 'read')",
    replace: "again === 'reads'",
    caughtBy: onPostgres('test/database/lost-connection'),
  },
  {
    name: 'a foreign task answers 404, not 403',
    file: 'src/tasks/routes.ts',
    find: "  if (json === null) throw new AppError('not_found', noSuchTask)",
    replace: "  if (json === null) throw new AppError('forbidden', noSuchTask)",
    caughtBy: onPglite('test/isolation/matrix', 'test/tasks/acceptance'),
  },
  {
    name: 'a body cannot name another owner',
    file: 'src/tasks/routes.ts',
    find: "owner_id !== undefined && owner_id !== c.get('principal').id",
    replace: 'false',
    caughtBy: onPglite('test/tasks', 'test/contract'),
  },
  {
    name: 'a body over the limit is refused',
    file: 'src/http/body.ts',
    find: 'export const bodyLimitBytes = 100_000',
    replace: 'export const bodyLimitBytes = 100_000_000',
    caughtBy: onPglite('test/contract/problems'),
  },
  {
    name: 'the log does not say what was asked',
    file: 'src/http/request-log.ts',
    find: '    method: c.req.method,\n',
    replace: '    method: c.req.method,\n    url: c.req.url,\n',
    caughtBy: onPglite('test/http/security-log'),
  },
  {
    name: 'only configured origins may read answers',
    file: 'src/http/cors.ts',
    find: '!allowed.has(origin)',
    replace: 'false',
    caughtBy: onPglite('test/http/cors'),
  },
  {
    name: 'a forwarded-for header of a stranger is not believed',
    file: 'src/http/client-address.ts',
    find: 'while (isTrusted(address)) {',
    replace: 'while (forwarded.length > 0) {',
    caughtBy: plain('test/http/client-address'),
  },
  {
    name: 'an owner cannot have more tasks than the quota',
    file: 'migrations/0002_quota.sql',
    find: "    if counted > nullif(current_setting('app.task_quota', true), '')::integer then",
    replace: '    if false then',
    caughtBy: onPglite('test/tasks/quota'),
  },
  {
    name: 'an answer of 500 says nothing about itself',
    file: 'src/http/problem.ts',
    find: "error instanceof AppError && error.code !== 'internal' ? error : internal",
    replace: "error instanceof AppError ? error : new AppError('internal', String(error))",
    caughtBy: plain('test/http/problem'),
  },
  {
    name: 'Postgres checks the owner of what is written',
    file: 'migrations/0001_tasks.sql',
    find: "  with check (owner_id = nullif(current_setting('app.user_id', true), ''));",
    replace: '  with check (true);',
    caughtBy: onPostgres('test/isolation/two-locks', 'test/database/catalog'),
  },
  {
    name: 'one owner has only a share of what is in flight',
    file: 'src/database/lanes.ts',
    find: 'this.#inFlight.of(owner).inFlight < this.#limits.inFlightOfOne',
    replace: 'true',
    caughtBy: onPostgres('test/database/lanes'),
  },
  {
    name: 'one owner has only a share of the queue',
    file: 'src/database/turns.ts',
    find: ' || (jobs?.length ?? 0) >= this.#mostOfOne',
    replace: '',
    caughtBy: onPostgres('test/database/lanes'),
  },
  {
    name: "one owner's long statements stay on one connection",
    file: 'src/database/in-flight.ts',
    find: 'share.heavyOn = connection',
    replace: 'share.heavyOn = undefined',
    caughtBy: onPostgres('test/database/lanes'),
  },
  {
    name: 'a page that came by another name gets no token',
    file: 'src/http/docs-page.ts',
    find: 'isOwnName(new URL(c.req.url).hostname)',
    replace: 'true',
    caughtBy: plain('test/http/docs-page'),
  },
  {
    name: 'nothing is repeated without limit',
    file: 'src/database/attempts.ts',
    find: 'attempts >= most || ',
    replace: '',
    caughtBy: plain('test/database/attempts'),
  },
  {
    name: 'no attempt begins after the deadline',
    file: 'src/database/attempts.ts',
    find: 'now() + pause - start > withinMs',
    replace: 'false',
    caughtBy: plain('test/database/attempts'),
  },
  {
    name: 'a spent quota is not asked about again and again',
    file: 'src/database/connecting.ts',
    find: "'the quota of its Neon project is used up',\n    'rarely',",
    replace: "'the quota of its Neon project is used up',\n    'soon',",
    caughtBy: onPostgres('test/database/unreachable'),
  },
  {
    name: 'after a hopeless attempt to connect there is a long pause',
    file: 'src/database/lanes.ts',
    find: 'performance.now() + pauseAfter(error)',
    replace: 'performance.now() + 400',
    caughtBy: onPostgres('test/database/unreachable'),
  },
  {
    name: 'a request is answered within the deadline',
    file: 'src/database/client.ts',
    find: 'await deadline.watch(answered, databaseUnavailable)',
    replace: 'await answered',
    caughtBy: onPostgres('test/database/lost-connection'),
  },
  {
    name: 'what nobody waits for is not sent',
    file: 'src/database/lanes.ts',
    find: 'if (job?.call.gone?.()) {',
    replace: 'if (job === null) {',
    caughtBy: onPostgres('test/database/lost-connection'),
  },
  {
    name: 'behind a pooler that does not keep names nothing is called by one',
    file: 'src/database/connection.ts',
    find: "batches.names === 'kept' || (await isDirect(carrier))",
    replace: 'true',
    caughtBy: onPostgres('test/database/pgbouncer'),
  },
  {
    name: 'over HTTP too every statement is entered as its owner',
    file: 'src/database/neon-http.ts',
    find: 'this.#sql.query(this.#enter, [owner])',
    replace: "this.#sql.query('select 1')",
    caughtBy: onPostgres('test/database/neon-http', 'test/database/neon-matrix'),
  },
  {
    name: 'a write whose answer over HTTP was lost is not repeated',
    file: 'src/database/neon-http.ts',
    find: 'return new ConnectionLost(message, { cause: error })',
    replace: "return Object.assign(new Error(message), { code: '40001', severity: 'ERROR' })",
    caughtBy: onPostgres('test/database/neon-http'),
  },
  {
    name: 'the password that travels over HTTP is not sent on',
    file: 'src/database/neon-http.ts',
    find: "redirect: 'error'",
    replace: "redirect: 'follow'",
    caughtBy: onPostgres('test/database/neon-http'),
  },
  {
    name: 'a WebSocket that says nothing any more holds up nobody',
    file: 'src/database/neon-carrier.ts',
    find: '      for (const batch of sent) batch.handleError(reason)\n',
    replace: '',
    caughtBy: onPostgres('test/database/neon-ws'),
  },
]
