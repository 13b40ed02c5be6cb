/**
 * Jest runs tests in a realm of their own, in which the errors of Node's own modules are no `Error`: code that asks
 * `instanceof Error`, as the SDK's retries do, would behave otherwise than outside. Imported for that effect alone.
 */
import { types } from 'node:util';

const usual = Function.prototype[Symbol.hasInstance];

Object.defineProperty(Error, Symbol.hasInstance, {
  configurable: true,
  value(this: unknown, value: unknown): boolean {
    return usual.call(this, value) || (this === Error && types.isNativeError(value));
  },
});
