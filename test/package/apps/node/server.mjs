import { createServer } from 'node:http'
import { createTodoApi } from 'docket'
import { toNodeHandler } from 'docket/node'

const api = createTodoApi({ environment: process.env })
createServer(toNodeHandler(api)).listen(process.env.PORT, '127.0.0.1')
