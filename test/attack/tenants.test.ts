/** Five realms in one database keep to themselves; the full run is slow (I-58). @module */
import { tenantTests } from './tenants-suite.ts'

tenantTests(60, 120_000)
