import { parse } from 'yaml';

export interface ComposeService {
  readonly build?: string;
  readonly image?: string;
  readonly user?: string;
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly cap_add?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly depends_on?: Readonly<Record<string, { readonly condition: string }>>;
  readonly healthcheck?: unknown;
  readonly networks?: readonly string[];
  readonly volumes?: readonly string[];
  readonly ports?: readonly string[];
}

export interface ComposeFile {
  readonly services: Readonly<Record<string, ComposeService>>;
  readonly networks: Readonly<Record<string, unknown>>;
  readonly volumes: Readonly<Record<string, unknown>>;
}

/** A variable of the file that the operator sets: `${NAME:?why}`, `${NAME:-value}` or `${NAME}`. */
export interface ComposeVariable {
  readonly name: string;
  readonly form: ':?' | ':-' | '';
  readonly rest: string;
}

const VARIABLE = /(?<!\$)\$\{([A-Z0-9_]+)(?:(:\?|:-)([^}]*))?\}/g;

export function parseCompose(text: string): ComposeFile {
  return parse(text, { merge: true }) as ComposeFile;
}

export function variablesOf(text: string): ComposeVariable[] {
  const uncommented = text.replace(/^\s*#.*$/gm, '');
  return [...uncommented.matchAll(VARIABLE)].map(([, name = '', form = '', rest = '']) => ({
    name,
    form: form as ComposeVariable['form'],
    rest,
  }));
}

/** Replaces every variable in the text; one without a value gets its default. */
export function interpolate(text: string, values: Readonly<Record<string, string>>): string {
  const defaultOf = (form?: string, rest = '') => (form === ':-' ? rest : '');
  return text.replace(
    VARIABLE,
    (_, name: string, form?: string, rest?: string) => values[name] ?? defaultOf(form, rest),
  );
}

/** Returns the mounts of a service; `source` is a path (`./…`) or the name of a volume. */
export function mountsOf({ volumes = [] }: ComposeService): { source: string; target: string }[] {
  return volumes.map((mount) => {
    const [, source = '', target = ''] = /^(\$\{[^}]*\}|[^:]+):([^:]+)(?::ro)?$/.exec(mount) ?? [];
    return { source, target };
  });
}
