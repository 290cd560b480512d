import { extendZodWithOpenApi } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'

extendZodWithOpenApi(z)

/** Zod with OpenAPI: each schema also describes itself in the document. */
export { z }
