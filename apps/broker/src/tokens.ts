/** Injection token of the services (`libs/service`). */
export const SERVICES = Symbol('services');

/** Injection token of the settings that choose the routes. */
export const ROUTE_CHOICE = Symbol('route choice');
