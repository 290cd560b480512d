/** Calls the task API as the signed-in user. */
export async function callApi(method: string, path: string, body?: object) {
  const { token } = await fetch('/api/auth/token').then((response) => response.json())
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const response = await fetch(`/api/v1${path}`, { method, headers, body: body && JSON.stringify(body) })
  if (!response.ok) throw new Error((await response.json()).detail)
  return response.json()
}
