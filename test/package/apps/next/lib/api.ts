/** Where the tasks will come from. */
export async function callApi(method: string, path: string, _body?: object) {
  throw new Error(`There is no API yet: ${method} ${path}`)
}
