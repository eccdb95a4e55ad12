/** Calls what carries descriptors without `loadUnix()`. */
import { openFdConnection, startFdServer } from "asyncio-streams/unix";

const path = process.argv[2] as string;
for (const call of [() => openFdConnection(path), () => startFdServer(() => {}, path)])
  await call().catch((error: unknown) => console.log(String(error)));
