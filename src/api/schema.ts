import { extendZodWithOpenApi } from '@asteasolutions/zod-to-openapi'
import { z } from 'zod'

extendZodWithOpenApi(z)

/** Zod, whose schemas also say how the OpenAPI document describes them. */
export { z }
