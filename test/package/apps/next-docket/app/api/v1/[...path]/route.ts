import { createTodoApi } from 'docket'
import { toNextJsHandler } from 'docket/next'

const api = createTodoApi({ environment: process.env })
export const { GET, POST, PUT, PATCH, DELETE, HEAD, OPTIONS } = toNextJsHandler(api)
