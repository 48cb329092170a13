// Collects the texts of all problems from the sources: each `new Problem(…)` and each `deny(…)`, with code and help.
import { basename, relative } from 'node:path';
import ts from 'typescript';

const MOST_TEXTS = 120;
const MOST_INSERTED = 60;
const DEEPEST = 14;
const NO_NAMES = new Set(['join', 'slice', 'text', 'message', 'undefined', 'length']);
const OURS = /^(apps|libs|packages)\//;
const NOT_SERVED = /^libs\/providers\/dummy\/|\.spec\.ts$|\.fixture\.ts$|\.suite\.ts$|^libs\/testing\/|\/generated\//;

/** Returns `{code, control, text, help}` for each text, and the places whose text the types do not tell. */
export function collectProblemTexts() {
  const program = programOf('tsconfig.json');
  const checker = program.getTypeChecker();
  const sources = program.getSourceFiles().filter(({ fileName }) => isServed(nameOf(fileName)));
  const calls = callsByFunction(sources, checker);
  const reader = new TextReader(checker, calls);
  const found = [];
  const unread = [];
  for (const source of sources) {
    each(source, (node) => {
      const parts = problemParts(node, checker);
      if (parts === undefined) return;
      const read = readProblem(parts, reader);
      if (read.length === 0)
        unread.push(`${basename(source.fileName)}: ${node.arguments[parts.pairs ? 0 : 1].getText()}`);
      found.push(...read);
    });
  }
  return { found, unread };
}

function programOf(config) {
  const { config: json } = ts.readConfigFile(config, ts.sys.readFile);
  const { fileNames, options } = ts.parseJsonConfigFileContent(json, ts.sys, process.cwd());
  return ts.createProgram(fileNames, { ...options, noEmit: true });
}

const nameOf = (file) => relative(process.cwd(), file);
const isServed = (name) => OURS.test(name) && !NOT_SERVED.test(name);

function each(node, act) {
  act(node);
  ts.forEachChild(node, (child) => each(child, act));
}

/** The calls of each function, by its declaration: they tell the values of its parameters. */
function callsByFunction(sources, checker) {
  const calls = new Map();
  for (const source of sources) {
    each(source, (node) => {
      if (!ts.isCallExpression(node) && !ts.isNewExpression(node)) return;
      const declaration = checker.getResolvedSignature(node)?.declaration;
      if (declaration === undefined) return;
      calls.set(declaration, [...(calls.get(declaration) ?? []), node]);
    });
  }
  return calls;
}

/** Code or control, text and options of a node that makes a problem; undefined for any other node. */
function problemParts(node, checker) {
  if (ts.isNewExpression(node) && node.expression.getText() === 'Problem') {
    const [first, second, third] = node.arguments;
    return ts.isSpreadElement(first)
      ? { pairs: first.expression, options: second }
      : { code: first, text: second, options: third };
  }
  if (!ts.isCallExpression(node) || node.expression.getText() !== 'deny') return undefined;
  const { fileName } = checker.getResolvedSignature(node)?.declaration?.getSourceFile() ?? {};
  if (fileName === undefined || !fileName.includes('/policy/')) return undefined;
  const [control, text, options] = node.arguments;
  return { control, text, options };
}

function readProblem({ pairs, code, control, text, options }, reader) {
  if (pairs !== undefined) {
    return reader.arrays(pairs).flatMap(({ elements: [code, text] }) => readProblem({ code, text, options }, reader));
  }
  const texts = reader.texts(text).filter((each) => /[a-z]{2} [a-z`{]/.test(each.replace(/\{[^}]*\}/g, '{}')));
  const helps = options === undefined ? [] : reader.members(options, 'help').flatMap((each) => reader.texts(each));
  const stated = options === undefined ? [] : reader.members(options, 'control').flatMap((each) => reader.texts(each));
  const codes = code === undefined ? [] : reader.texts(code).filter((each) => /^[a-z_]+$/.test(each));
  const given = options === undefined ? [] : reader.members(options, 'problem').flatMap((each) => reader.texts(each));
  const controls = control === undefined ? stated : reader.texts(control);
  const help = [...new Set(helps)].filter((each) => !/^\{\w*\}$/.test(each)).join(' / ');
  return texts.map((each) => ({ codes: code === undefined ? given : codes, controls, text: each, help }));
}

/** Reads the texts that an expression may have. A value that only the run decides is `{name}`. */
class TextReader {
  constructor(checker, calls) {
    this.checker = checker;
    this.calls = calls;
    this.depth = 0;
  }

  texts(node) {
    if (node === undefined || this.depth > DEEPEST) return [hole(node)];
    this.depth += 1;
    const texts = [...new Set(this.#read(node))].slice(0, MOST_TEXTS);
    this.depth -= 1;
    return texts.length === 0 ? [hole(node)] : texts;
  }

  #read(node) {
    if (ts.isStringLiteralLike(node)) return [node.text];
    if (isUndefined(node)) return [''];
    if (ts.isTemplateExpression(node)) {
      return node.templateSpans.reduce(
        (heads, { expression, literal }) => joined(heads, this.#inserted(expression), literal.text),
        [node.head.text],
      );
    }
    if (isWrapper(node)) return this.texts(node.expression);
    if (ts.isConditionalExpression(node)) return [...this.texts(node.whenTrue), ...this.texts(node.whenFalse)];
    if (ts.isBinaryExpression(node)) return this.#readBinary(node);
    if (ts.isIdentifier(node)) return this.#declared(node).flatMap((each) => this.texts(each));
    if (ts.isPropertyAccessExpression(node)) return this.#readMember(node);
    if (ts.isElementAccessExpression(node)) return this.#entries(node).flatMap((each) => this.texts(each));
    if (ts.isCallExpression(node)) return this.#readCall(node);
    return [];
  }

  /** An inserted phrase is spelt out where the sources state it; a single word stays a hole. */
  #inserted(node) {
    const constant = this.#numberIn(node);
    if (constant !== undefined) return [constant];
    const texts = this.texts(node);
    const phrases = texts.filter((text) => / [a-z`]/i.test(text.replace(/\{[^}]*\}/g, '')));
    if (phrases.length === 0 || phrases.length > MOST_INSERTED) return [hole(node)];
    const others = texts.filter((text) => !phrases.includes(text));
    return [
      ...phrases,
      ...(others.includes('') ? [''] : []),
      ...(others.some((text) => text !== '') ? [hole(node)] : []),
    ];
  }

  /** A number that a constant states, as in `String(MAX_DEPTH)`, is shown in place of a hole. */
  #numberIn(node) {
    if (ts.isCallExpression(node) && node.expression.getText() === 'String') return this.#numberIn(node.arguments[0]);
    if (ts.isNumericLiteral(node)) return node.getText().replaceAll('_', '');
    const values = ts.isIdentifier(node) ? this.#declared(node) : [];
    return values.length === 1 && ts.isNumericLiteral(values[0]) ? this.#numberIn(values[0]) : undefined;
  }

  #readBinary({ left, operatorToken: { kind }, right }) {
    if (kind === ts.SyntaxKind.PlusToken) return joined(this.texts(left), this.texts(right), '');
    if (kind !== ts.SyntaxKind.QuestionQuestionToken) return [];
    return [...this.texts(left).filter((each) => !/^\{\w*\}$/.test(each)), ...this.texts(right)];
  }

  #readMember(node) {
    const values = this.members(node.expression, node.name.text);
    if (values.length > 0) return values.flatMap((each) => this.texts(each));
    const declaration = this.checker.getSymbolAtLocation(node.name)?.valueDeclaration;
    if (declaration === undefined || !ts.isGetAccessorDeclaration(declaration)) return [];
    return returnsOf(declaration).flatMap((each) => this.texts(each));
  }

  #readCall(node) {
    if (ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'get') {
      return this.arrays(node.expression.expression).flatMap(({ elements }) => this.texts(elements[1]));
    }
    const declaration = this.checker.getResolvedSignature(node)?.declaration;
    if (declaration?.body === undefined || !isServed(nameOf(declaration.getSourceFile().fileName))) return [];
    return returnsOf(declaration).flatMap((each) => this.texts(each));
  }

  /** The expressions that a name may stand for: its initial value, or the arguments of the calls of its function. */
  #declared(node) {
    const declaration = this.#declarationOf(node);
    if (declaration === undefined) return [];
    if (ts.isVariableDeclaration(declaration)) return isConstant(declaration) ? [declaration.initializer] : [];
    if (ts.isPropertyDeclaration(declaration) || ts.isPropertyAssignment(declaration)) {
      return declaration.initializer === undefined ? [] : [declaration.initializer];
    }
    if (ts.isParameter(declaration)) {
      const index = declaration.parent.parameters.indexOf(declaration);
      return (this.calls.get(declaration.parent) ?? []).flatMap((call) => call.arguments?.[index] ?? []);
    }
    if (ts.isBindingElement(declaration)) return this.#destructured(declaration);
    return [];
  }

  #declarationOf(node) {
    const symbol = this.checker.getSymbolAtLocation(node);
    if (symbol === undefined) return undefined;
    const target = symbol.flags & ts.SymbolFlags.Alias ? this.checker.getAliasedSymbol(symbol) : symbol;
    const declaration = target.valueDeclaration;
    if (declaration === undefined || !ts.isShorthandPropertyAssignment(declaration)) return declaration;
    return this.checker.getShorthandAssignmentValueSymbol(declaration)?.valueDeclaration;
  }

  #destructured(element) {
    const holder = element.parent.parent;
    if (!ts.isVariableDeclaration(holder) || holder.initializer === undefined) return [];
    const name = (element.propertyName ?? element.name).getText();
    const values = this.members(holder.initializer, name);
    if (values.length > 0) return values;
    const member = this.checker.getTypeAtLocation(holder.initializer).getProperty(name)?.valueDeclaration;
    return member !== undefined && ts.isGetAccessorDeclaration(member) ? returnsOf(member) : [];
  }

  /** The values of one member of the objects that an expression may be. */
  members(node, name) {
    return this.objects(node).flatMap((object) =>
      object.properties.flatMap((property) => {
        if (ts.isSpreadAssignment(property)) return this.members(property.expression, name);
        if (property.name?.getText() !== name) return [];
        return ts.isShorthandPropertyAssignment(property) ? [property.name] : [property.initializer];
      }),
    );
  }

  /** The values of a table that is read by a key; the type of the key tells which of them. */
  #entries({ expression, argumentExpression }) {
    const type = this.checker.getTypeAtLocation(argumentExpression);
    const keys = (type.isUnion() ? type.types : [type]).map((each) =>
      each.isStringLiteral() ? each.value : undefined,
    );
    return this.#values(expression, keys.includes(undefined) ? undefined : keys);
  }

  #values(node, keys) {
    return this.objects(node).flatMap((object) =>
      object.properties.flatMap((property) => {
        if (ts.isSpreadAssignment(property)) return this.#values(property.expression, keys);
        const key = property.name.text ?? property.name.getText();
        return property.initializer === undefined || keys?.includes(key) === false ? [] : [property.initializer];
      }),
    );
  }

  objects(node) {
    return this.#literals(node, ts.isObjectLiteralExpression, (each) => this.objects(each));
  }

  /** The array literals of which an expression may be one or hold one: also the entries of a `Map`. */
  arrays(node) {
    if (ts.isNewExpression(node)) {
      return node.arguments?.flatMap((each) => this.arrays(each).flatMap(({ elements }) => [...elements])) ?? [];
    }
    return this.#literals(node, ts.isArrayLiteralExpression, (each) => this.arrays(each));
  }

  #literals(node, isLiteral, again) {
    if (node === undefined || this.depth > DEEPEST) return [];
    this.depth += 1;
    const literals = this.#literalsIn(node, isLiteral, again);
    this.depth -= 1;
    return literals;
  }

  #literalsIn(node, isLiteral, again) {
    if (isLiteral(node)) return [node];
    if (isWrapper(node)) return again(node.expression);
    if (ts.isConditionalExpression(node)) return [...again(node.whenTrue), ...again(node.whenFalse)];
    if (ts.isIdentifier(node)) return this.#declared(node).flatMap(again);
    if (ts.isElementAccessExpression(node)) return this.#entries(node).flatMap(again);
    if (ts.isPropertyAccessExpression(node)) return this.members(node.expression, node.name.text).flatMap(again);
    if (!ts.isCallExpression(node)) return [];
    if (ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'get') {
      return this.arrays(node.expression.expression).flatMap(({ elements }) => again(elements[1]));
    }
    const declaration = this.checker.getResolvedSignature(node)?.declaration;
    return declaration?.body === undefined ? [] : returnsOf(declaration).flatMap(again);
  }
}

const isWrapper = (node) =>
  ts.isParenthesizedExpression(node) ||
  ts.isAsExpression(node) ||
  ts.isSatisfiesExpression(node) ||
  ts.isNonNullExpression(node);

const isUndefined = (node) => ts.isIdentifier(node) && node.text === 'undefined';

const isConstant = (declaration) =>
  declaration.initializer !== undefined && (ts.getCombinedNodeFlags(declaration) & ts.NodeFlags.Const) !== 0;

function returnsOf({ body }) {
  if (!ts.isBlock(body)) return [body];
  const returned = [];
  const visit = (node) => {
    if (ts.isFunctionLike(node)) return;
    if (ts.isReturnStatement(node) && node.expression !== undefined) returned.push(node.expression);
    ts.forEachChild(node, visit);
  };
  ts.forEachChild(body, visit);
  return returned;
}

function joined(heads, inserted, tail) {
  return heads.flatMap((head) => inserted.map((each) => `${head}${each}${tail}`)).slice(0, MOST_TEXTS);
}

/** `{name}`, after the last name in the expression that is not a function or a constant. */
function hole(node) {
  const names =
    node
      ?.getText()
      .match(/\b[a-z]\w*\b(?!\()/g)
      ?.filter((name) => !NO_NAMES.has(name)) ?? [];
  return `{${names.at(-1) ?? '…'}}`;
}
