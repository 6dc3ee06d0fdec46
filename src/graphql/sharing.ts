// Declares fields whose values do not depend on the viewer. An event is executed once for all subscriptions with the same
// operation key if each field that they select is declared with `shared: true` (C1). That is the plan; the guarantee is the
// context of such an execution, which has no viewer: a resolver that asks for the viewer ends it, and the event is executed for
// each viewer instead.

import SchemaBuilder, { BasePlugin, type PothosOutputFieldConfig, type SchemaTypes } from '@pothos/core'

declare global {
  namespace PothosSchemaTypes {
    interface Plugins<Types extends SchemaTypes> {
      sharing: SharingPlugin<Types>
    }
    // This declaration merges with Pothos's own.
    interface FieldOptions {
      /** The value is the same for all recipients of the event; if it isn't, the resolver asks for the viewer. */
      shared?: true
    }
  }
}

class SharingPlugin<Types extends SchemaTypes> extends BasePlugin<Types> {
  override onOutputFieldConfig(field: PothosOutputFieldConfig<Types>): PothosOutputFieldConfig<Types> {
    const { shared } = field.pothosOptions as { shared?: true }
    return shared ? { ...field, extensions: { ...field.extensions, shared } } : field
  }
}

SchemaBuilder.registerPlugin('sharing', SharingPlugin)
