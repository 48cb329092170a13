/** Under which Nest finds the composed services (boot/services.ts). */
export const SERVICES = Symbol('services');
