/** Starts a server with `authorize` without `loadUnix()`. */
import { startUnixServer } from "asyncio-streams";

try {
  await startUnixServer(() => {}, process.argv[2], { authorize: () => true });
} catch (error) {
  console.log(String(error));
}
