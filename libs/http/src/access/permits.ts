import type { Principal, Role } from '@mayfly/identity';
import { Reflector } from '@nestjs/core';

/** A group of callers: anyone, any proven identity, agents, other workloads, or people with a role. */
export type Permission = 'anyone' | 'authenticated' | 'agent' | 'workload' | Role;

/** Declares the permitted callers of a route. A route without it refuses every call. */
export const Permits = Reflector.createDecorator<readonly Permission[]>();

/** True when the principal has one of the permissions. */
export function isPermitted(principal: Principal, permissions: readonly Permission[]): boolean {
  return permissions.some((permission) => {
    switch (permission) {
      case 'anyone':
      case 'authenticated':
        return true;
      case 'agent':
      case 'workload':
        return principal.kind === permission;
      default:
        return principal.kind === 'person' && principal.roles.includes(permission);
    }
  });
}

/**
 * Names the header with the caller's own token, for routes where `Authorization` is that of somebody else: a gateway asks
 * about a request of an agent.
 */
export const IdentifiedBy = Reflector.createDecorator<string>();
