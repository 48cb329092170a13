import {
  AgentLifecycle,
  Catalog,
  Changes,
  ConnectionLifecycle,
  DeclarationChecks,
  Declarations,
  IssuerTests,
  Templates,
} from '@mayfly/declarations';
import { AccessTokens, HttpDoor, Operations } from '@mayfly/enforcement';
import { History } from '@mayfly/evidence';
import { type IdentityGuard, ProblemFilter, RefusalRecorder } from '@mayfly/http';
import { AccessEvaluations, ControlTraces, Decisions, Delegations, Tasks } from '@mayfly/issuance';
import { LeaseAbandonment, Lockdowns, QuarantineDesk, Reconciliations } from '@mayfly/revocation';
import type { Services } from '@mayfly/service';
import { type DynamicModule, Module } from '@nestjs/common';
import { APP_FILTER, APP_GUARD } from '@nestjs/core';
import { ChangesController } from './changes/changes.controller.js';
import type { RouteChoice } from './config.js';
import { AuthzenController } from './authzen/authzen.controller.js';
import { DecisionsController } from './decisions/decisions.controller.js';
import { AgentsController } from './declarations/agents.controller.js';
import { ConnectionsController } from './declarations/connections.controller.js';
import { DeclarationsController } from './declarations/declarations.controller.js';
import { IssuersController } from './declarations/issuers.controller.js';
import { PoliciesController } from './declarations/policies.controller.js';
import { HistoryController } from './history/history.controller.js';
import { LeasesController } from './leases/leases.controller.js';
import { LockdownsController } from './lockdowns/lockdowns.controller.js';
import { FederationController } from './oauth/federation.controller.js';
import { MetadataController } from './oauth/metadata.controller.js';
import { OAuthController } from './oauth/oauth.controller.js';
import { DoorsController } from './operations/doors.controller.js';
import { OperationsController } from './operations/operations.controller.js';
import { QuarantineController } from './quarantine/quarantine.controller.js';
import { ReconciliationsController } from './reconciliations/reconciliations.controller.js';
import { HealthController } from './service/health.controller.js';
import { OpenApiController } from './service/openapi.controller.js';
import { OpenApi } from './service/openapi.js';
import { MeController } from './tasks/me.controller.js';
import { DelegationsController } from './tasks/delegations.controller.js';
import { TasksController } from './tasks/tasks.controller.js';
import { TemplateVersionsController } from './templates/template-versions.controller.js';
import { TemplatesController } from './templates/templates.controller.js';
import { ROUTE_CHOICE, SERVICES } from './tokens.js';

/** All API controllers. A test checks that each method states a permission. */
const API = [
  TasksController,
  DelegationsController,
  MeController,
  TemplatesController,
  TemplateVersionsController,
  AgentsController,
  IssuersController,
  ConnectionsController,
  PoliciesController,
  DeclarationsController,
  ChangesController,
  OAuthController,
  OperationsController,
  DoorsController,
  MetadataController,
  FederationController,
  HistoryController,
  DecisionsController,
  AuthzenController,
  LeasesController,
  LockdownsController,
  ReconciliationsController,
  QuarantineController,
];

/** Returns the controllers of this process. A worker-only process serves health and metrics, and no API. */
function controllersFor({ api, docs }: RouteChoice) {
  if (!api) return [HealthController];
  return docs ? [...API, HealthController, OpenApiController] : [...API, HealthController];
}

/** The HTTP side of the broker, over the services of `libs/service`. */
@Module({})
export class BrokerModule {
  /** Returns the module over built services. Controllers get them by class, or by the tokens of `tokens.ts`. */
  static over(services: Services, guard: IdentityGuard, choice: RouteChoice): DynamicModule {
    return {
      module: BrokerModule,
      controllers: controllersFor(choice),
      providers: [
        { provide: SERVICES, useValue: services },
        { provide: ROUTE_CHOICE, useValue: choice },
        { provide: Catalog, useValue: services.catalog },
        { provide: Tasks, useValue: services.tasks },
        { provide: Delegations, useValue: services.delegations },
        { provide: Decisions, useValue: services.decisions },
        { provide: ControlTraces, useValue: services.controlTraces },
        { provide: AccessEvaluations, useValue: services.accessEvaluations },
        { provide: AgentLifecycle, useValue: services.agentLifecycle },
        { provide: ConnectionLifecycle, useValue: services.connectionLifecycle },
        { provide: IssuerTests, useValue: services.issuerTests },
        { provide: Declarations, useValue: services.declarations },
        { provide: Changes, useValue: services.changes },
        { provide: DeclarationChecks, useValue: services.declarationChecks },
        { provide: Templates, useValue: services.templates },
        { provide: RefusalRecorder, useValue: services.refusals },
        { provide: AccessTokens, useValue: services.accessTokens },
        { provide: Operations, useValue: services.operations },
        { provide: HttpDoor, useValue: services.httpDoor },
        { provide: LeaseAbandonment, useValue: services.leaseAbandonment },
        { provide: Lockdowns, useValue: services.lockdowns },
        { provide: QuarantineDesk, useValue: services.quarantineDesk },
        { provide: Reconciliations, useValue: services.reconciliations },
        { provide: History, useValue: services.history },
        { provide: APP_GUARD, useValue: guard },
        OpenApi,
        { provide: APP_FILTER, useClass: ProblemFilter },
      ],
    };
  }
}
