/** Five realms in one database keep to themselves: two thousand steps (I-58). @module */
import { tenantTests } from './tenants-suite.ts'

tenantTests(Number(process.env['GUISE_TENANT_STEPS'] ?? 2000), 3_600_000)
