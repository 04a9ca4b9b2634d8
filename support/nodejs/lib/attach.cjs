// Starts the inspector in the process that runs the application, when a tool started that process, or is it.
//
// The node wrapper makes tools (npm, nodemon, tsx, ts-node, ...) load this file through NODE_OPTIONS, with the
// inspector's options in DEBUGGABLE_NODE_INSPECT. Every Node process that such a tool starts by process.execPath, and
// so behind the wrapper's back, loads it too. A script of the application's gets the inspector at once. A tool that
// runs the application in its own process gets it when it loads the first file of the application's. Everything else
// is left alone. The process that gets the inspector gets its environment back as it would have been.
'use strict';

const { readFileSync, realpathSync } = require('fs');
const path = require('path');

// Packages that load the application into the process they run in.
const RUNNERS = [
  'ts-node', 'ts-node-dev', 'next', '@babel/node', 'fastify-cli', '@google-cloud/functions-framework', 'pm2', 'moleculer',
];
// Scripts of theirs that do nothing but run the application, as an ES module, which cannot be seen from here.
const ENTRYPOINTS = ['/node_modules/ts-node/dist/child/'];
// Configuration files of tools: loading one is not running the application.
const CONFIGURATION = /(^\.|\.config\.[^.]+$|rc\.[^.]+$|file\.[^.]+$|\.json$|\.node$)/;

function main() {
  const wanted = process.env.DEBUGGABLE_NODE_INSPECT;
  if (!wanted || !require('worker_threads').isMainThread || !process.argv[1]) return;
  const script = real(process.argv[1]);
  if (isApplication(script) || ENTRYPOINTS.some((e) => script.includes(e))) {
    attach(wanted);
  } else if (RUNNERS.some((name) => script.includes(`/node_modules/${name}/`))) {
    attachAtFirstFile(wanted);
  }
}

function real(script) {
  for (const file of [script, require.resolve.paths ? resolved(script) : script]) {
    try {
      return realpathSync(file);
    } catch {}
  }
  return script;
}

function resolved(script) {
  try {
    return require.resolve(script);
  } catch {
    return script;
  }
}

// The same rule as the wrapper's, with the same list.
function isApplication(file) {
  if (file.includes('/node_modules/')) return false;
  const tools = readFileSync(path.join(__dirname, 'tools.txt'), 'utf8').split(/\s+/).filter(Boolean);
  const name = path.basename(file);
  return !tools.some((tool) => {
    const [before, after] = tool.split('*');
    return after === undefined ? name === tool : name.startsWith(before) && name.endsWith(after);
  });
}

function attachAtFirstFile(wanted) {
  const { Module } = require('module');
  const load = Module.prototype.load;
  Module.prototype.load = function (file) {
    if (path.isAbsolute(file) && isApplication(file) && !CONFIGURATION.test(path.basename(file))) {
      Module.prototype.load = load;
      attach(wanted);
    }
    return load.apply(this, arguments);
  };
}

function attach(wanted) {
  delete process.env.DEBUGGABLE_NODE_INSPECT;
  // Yarn and others put options of theirs around it.
  const preload = `--require ${/[ "\\]/.test(__filename) ? JSON.stringify(__filename) : __filename}`;
  const options = ` ${process.env.NODE_OPTIONS || ''} `.replace(` ${preload} `, ' ').trim();
  if (options !== '') {
    process.env.NODE_OPTIONS = options;
  } else {
    delete process.env.NODE_OPTIONS;
  }

  let host = '127.0.0.1';
  let port = 9229;
  let wait = false;
  const words = wanted.split(' ');
  words.forEach((word, i) => {
    const [, name, value] = /^--([a-z-]+)(?:=(.*))?$/.exec(word) || [];
    if (name === 'inspect-publish-uid' || name === undefined) return;
    if (name === 'inspect-brk' || name === 'inspect-wait') wait = true;
    const address = value !== undefined ? value : /-port$/.test(name) ? words[i + 1] || '' : '';
    const [, h, p] = /^(?:(.*?):)?(\d+)$/.exec(address) || [undefined, address, undefined];
    if (h) host = h.replace(/^\[(.*)\]$/, '$1');
    if (p) port = Number(p);
  });
  try {
    require('inspector').open(port, host, wait);
  } catch (e) {
    // An application without a debugger is better than none: this node may be built without an inspector.
    process.stderr.write(`debuggable: the inspector could not be started: ${e.message || e}\n`);
  }
}

main();
