// Reads the comments of a source and the lines of a document, for the checks of words and citations.

/** Whole comments, each as one text, so that a phrase is found across a line break. `opens` is true for a docstring. */
export function commentsOf(text) {
  const comments = [];
  for (const match of text.matchAll(/\/\*\*?([\s\S]*?)\*\/|(?:^|(?<=\s))\/\/ ?(.*(?:\n\s*\/\/.*)*)/g)) {
    const words = (match[1] ?? match[2]).replace(/\n\s*(\*|\/\/) ?/g, ' ').trim();
    comments.push({ line: text.slice(0, match.index).split('\n').length, words, opens: match[1] !== undefined });
  }
  return comments;
}

/** The lines of a document, as passages that open nothing. */
export function linesOf(text) {
  return text.split('\n').map((words, index) => ({ line: index + 1, words, opens: false }));
}
