import { RemovalPolicy, Validations } from 'aws-cdk-lib';
import * as api from 'aws-cdk-lib/aws-apigatewayv2';
import { HttpIamAuthorizer, HttpJwtAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers';
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations';
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway';
import type * as lambda from 'aws-cdk-lib/aws-lambda';
import * as logs from 'aws-cdk-lib/aws-logs';
import { Construct } from 'constructs';
import { ROUTES, SCOPES, type ApiFunction, type Scope } from '../../src/contract.js';
import type { GatewayApiProps, IamCallers, JwtCallers } from './api-props.js';

export interface HttpRoutesProps {
  readonly callers: IamCallers | JwtCallers;
  readonly throttle: NonNullable<GatewayApiProps['throttle']>;
  readonly logRetention: logs.RetentionDays;
  readonly functions: ReadonlyMap<ApiFunction, lambda.IFunction>;
}

/** What is logged of a request: who, what and how it ended. No key, no query, no header. */
const ACCESS_LOG = {
  requestId: '$context.requestId',
  time: '$context.requestTime',
  ip: '$context.identity.sourceIp',
  caller: '$context.identity.userArn',
  subject: '$context.authorizer.claims.sub',
  route: '$context.routeKey',
  status: '$context.status',
  bytes: '$context.responseLength',
  milliseconds: '$context.responseLatency',
  error: '$context.error.message',
  authorizerError: '$context.authorizer.error',
};

/** An HTTP API with the contract's routes. All but health ask for credentials; there is no CORS. */
export class HttpRoutes extends Construct {
  /** Without a slash at its end. */
  readonly url: string;
  readonly api: api.HttpApi;

  constructor(
    scope: Construct,
    id: string,
    private readonly props: HttpRoutesProps,
  ) {
    super(scope, id);
    // The stage is made below, with a log.
    this.api = new api.HttpApi(this, 'Api', {
      description: 'sealdrop',
      createDefaultStage: false,
      defaultAuthorizer: authorizer(props.callers),
    });
    this.url = this.api.apiEndpoint;
    this.makeStage(props);
    const integrations = new Map(
      [...props.functions].map(([name, handler]) => [name, new HttpLambdaIntegration(name, handler)]),
    );
    for (const { method, path, function: name, scope: needed } of ROUTES) {
      const integration = integrations.get(name);
      if (integration !== undefined)
        this.route(api.HttpRouteKey.with(path, method as api.HttpMethod), integration, needed);
    }
    // What has no route is said in the API's own words, and to callers alone.
    this.route(api.HttpRouteKey.DEFAULT, integrations.get('api')!, 'read');
  }

  private route(
    routeKey: api.HttpRouteKey,
    integration: HttpLambdaIntegration,
    needed: Scope | undefined,
  ): void {
    const route = new api.HttpRoute(this, routeKey.key, {
      httpApi: this.api,
      routeKey,
      integration,
      ...(needed === undefined && { authorizer: new api.HttpNoneAuthorizer() }),
      ...(needed !== undefined &&
        this.props.callers.kind === 'jwt' && { authorizationScopes: [SCOPES[needed]] }),
    });
    if (needed === undefined)
      Validations.of(route).acknowledge({
        id: 'AwsSolutions-APIG4',
        reason: 'Health tells that the function runs, to load balancers too, and nothing else.',
      });
  }

  private makeStage({ throttle, logRetention }: HttpRoutesProps): void {
    const destination = new logs.LogGroup(this, 'AccessLog', {
      retention: logRetention,
      removalPolicy: RemovalPolicy.DESTROY,
    });
    new api.HttpStage(this, 'Stage', {
      httpApi: this.api,
      stageName: '$default',
      autoDeploy: true,
      throttle: { rateLimit: throttle.rate, burstLimit: throttle.burst },
      accessLogSettings: {
        destination: new api.LogGroupLogDestination(destination),
        format: AccessLogFormat.custom(JSON.stringify(ACCESS_LOG)),
      },
    });
  }
}

function authorizer(callers: IamCallers | JwtCallers): api.IHttpRouteAuthorizer {
  if (callers.kind === 'iam') return new HttpIamAuthorizer();
  return new HttpJwtAuthorizer('Jwt', callers.issuer, { jwtAudience: [...callers.audience] });
}
