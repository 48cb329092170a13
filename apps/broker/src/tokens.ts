/** Injection token of the composed services (boot/services.ts). */
export const SERVICES = Symbol('services');
