/** `AsyncResource` of `node:async_hooks`: a browser has no asynchronous context, so a function is only called. */
export class AsyncResource {
  runInAsyncScope(callback, thisValue, ...args) {
    return callback.apply(thisValue, args);
  }
}
