/** Tells what can be resolved: the documented entries, and nothing below them. */
for (const entry of ["", "/framing", "/process", "/testing", "/unix", "/package.json", "/dist/index.js", "/framing/ndjson"]) {
  try {
    require.resolve(`asyncio-streams${entry}`);
    console.log(entry || "/");
  } catch (error) {
    console.log(entry, error.code);
  }
}
