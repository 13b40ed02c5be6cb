/**
 * Where an S3 store is and in which region, from the options and from AWS's own settings.
 *
 * The SDK looks the endpoint up as well, but under the default profile whatever profile it was given, and only when
 * it sends; here it is known before, because how uploads are checked depends on it.
 * Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-ss-endpoints.html
 */
import { booleanSelector, CONFIG_PREFIX_SEPARATOR, loadConfig, SelectorType } from '@smithy/core/config';
import { SealdropError } from '../errors.js';
import { printable } from '../printable.js';
import type { ProviderName } from '../store-traits.js';
import { endpointOf, PROVIDERS_BY_NAME, type Provider } from './providers.js';

export interface Endpoint {
  /** Undefined where AWS's own rules say it, from the region. */
  readonly url: string | undefined;
  readonly secure: boolean;
  /** Run by AWS: checks what AWS documents that it checks. */
  readonly aws: boolean;
  /** How messages name it. */
  readonly shown: string;
}

export interface PlaceOptions {
  endpoint?: string | undefined;
  region?: string | undefined;
  profile?: string | undefined;
  /** Which kind of store it is. */
  provider?: ProviderName | undefined;
  /** What the endpoints of some providers begin with. */
  account?: string | undefined;
}

/**
 * What is given goes before what the provider has, and that before AWS's own settings, which know of one store alone.
 * @throws SealdropError `usage` where no region or endpoint can be found, or the endpoint is not a URL
 */
export async function resolvePlace(options: PlaceOptions): Promise<{ endpoint: Endpoint; region: string }> {
  const provider = options.provider && PROVIDERS_BY_NAME[options.provider];
  const named = options.region || provider?.region || (await configuredRegion(options.profile));
  const region = named || provider?.usualRegion;
  const ofProvider =
    options.endpoint || !options.provider
      ? options.endpoint
      : endpointOf(options.provider, { region, account: options.account });
  const url = ofProvider || (await configuredEndpoint(options.profile));
  if (!url && provider !== undefined && options.provider !== 'aws') throw noEndpoint(provider);
  return placeAt(url, region || (url && 'us-east-1'));
}

function noEndpoint({ title }: Provider): SealdropError {
  return new SealdropError('usage', `no endpoint is set for ${title}`, {
    hint: 'name it: --endpoint-url URL',
  });
}

function placeAt(
  url: string | undefined,
  region: string | undefined,
): { endpoint: Endpoint; region: string } {
  if (!region)
    throw new SealdropError('usage', 'no region is set for AWS', {
      hint: 'name it: --region REGION (or AWS_REGION, or in the profile); for another store: --endpoint-url URL',
    });
  return { endpoint: !url ? awsEndpoint(region) : parseEndpoint(url), region };
}

function awsEndpoint(region: string): Endpoint {
  return { url: undefined, secure: true, aws: true, shown: `AWS (${printable(region)})` };
}

function parseEndpoint(text: string): Endpoint {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '')
    // Not shown: somebody may have put credentials in it.
    throw new SealdropError('usage', 'the endpoint is not a URL like https://host:port', {
      hint: 'it begins with https:// or http:// and holds no user name or password',
    });
  return {
    url: text,
    secure: url.protocol === 'https:',
    aws: /\.amazonaws\.com(\.cn)?$/.test(url.hostname),
    shown: printable(url.host),
  };
}

type Section = Record<string, string | undefined>;

async function configuredEndpoint(profile: string | undefined): Promise<string | undefined> {
  const ignored = await loadConfig<boolean>(
    {
      environmentVariableSelector: (env) =>
        booleanSelector(env, 'AWS_IGNORE_CONFIGURED_ENDPOINT_URLS', SelectorType.ENV),
      configFileSelector: (section) =>
        booleanSelector(section, 'ignore_configured_endpoint_urls', SelectorType.CONFIG),
      default: false,
    },
    { profile },
  )();
  if (ignored) return undefined;
  return loadConfig<string | undefined>(
    {
      environmentVariableSelector: (env) => env.AWS_ENDPOINT_URL_S3 || env.AWS_ENDPOINT_URL,
      configFileSelector: endpointOfProfile,
      default: async () => undefined,
    },
    { profile },
  )();
}

function endpointOfProfile(section: Section, file?: Record<string, Section>): string | undefined {
  const { services } = section;
  const ofService = services && file?.[['services', services].join(CONFIG_PREFIX_SEPARATOR)];
  return (
    (ofService && ofService[['s3', 'endpoint_url'].join(CONFIG_PREFIX_SEPARATOR)]) ?? section.endpoint_url
  );
}

/** Not from the instance metadata service, as the SDK does last: elsewhere than on AWS that is a long wait. */
async function configuredRegion(profile: string | undefined): Promise<string | undefined> {
  return loadConfig<string | undefined>(
    {
      environmentVariableSelector: (env) => env.AWS_REGION || env.AWS_DEFAULT_REGION,
      configFileSelector: (section: Section) => section.region,
      default: async () => undefined,
    },
    { profile },
  )();
}
