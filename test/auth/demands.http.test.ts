import { expect, test } from 'vitest'
import { startApi } from '../support/api.ts'

test('without demands neither a scope nor a verified e-mail address is needed', async () => {
  const api = await startApi()
  const ann = await api.newOwner({ emailVerified: false, scope: undefined })
  expect((await ann.call('/tasks')).status).toBe(200)
  await api.close()
})

test('a token without a demanded scope is forbidden, and told which', async () => {
  const api = await startApi({ AUTH_REQUIRED_SCOPE: 'tasks,write' })
  const refused = [undefined, '', 'tasks', 'taskswrite', 'tasks,write', ['tasks', 'write'], 7]
  for (const scope of refused) {
    const answer = await (await api.newOwner({ scope })).call('/tasks', { body: { title: 'x' } })
    expect(answer.status, JSON.stringify(scope)).toBe(403)
    expect(answer.json().code).toBe('forbidden')
    expect(answer.headers.get('www-authenticate')).toBe(
      'Bearer realm="docket", error="insufficient_scope", scope="tasks write"',
    )
  }
  const ann = await api.newOwner({ scope: 'write openid tasks' })
  expect((await ann.call('/tasks', { body: { title: 'x' } })).status).toBe(201)
  await api.close()
})

test('a token without a verified e-mail address is forbidden where one is demanded', async () => {
  const api = await startApi({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' })
  for (const emailVerified of [undefined, false, 'true', 1]) {
    const answer = await (await api.newOwner({ emailVerified })).call('/tasks')
    expect(answer.status, String(emailVerified)).toBe(403)
    expect(answer.json().detail).toBe('Verify your e-mail address, then get a new token.')
  }
  expect((await (await api.newOwner({ emailVerified: true })).call('/tasks')).status).toBe(200)
  await api.close()
})

test('a verified e-mail address may have either name, and both where a token has both', async () => {
  const api = await startApi({ AUTH_REQUIRE_VERIFIED_EMAIL: 'true' })
  for (const [emailVerified, email_verified, status] of [
    [true, undefined, 200],
    [undefined, true, 200],
    [true, true, 200],
    [false, true, 403],
    [true, false, 403],
    [null, true, 403],
    [true, null, 403],
    [true, 'true', 403],
    [undefined, undefined, 403],
  ]) {
    const ann = await api.newOwner({ emailVerified, email_verified })
    expect((await ann.call('/tasks')).status, `${emailVerified} ${email_verified}`).toBe(status)
  }
  await api.close()
})

test('an expired token is told to refresh before it is told what it lacks', async () => {
  const api = await startApi({ AUTH_REQUIRED_SCOPE: 'tasks' })
  const old = await api.newOwner({ exp: Math.floor(Date.now() / 1000) - 60 })
  expect((await old.call('/tasks')).json().code).toBe('token_expired')
  await api.close()
})
