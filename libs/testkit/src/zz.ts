const before = process.cpuUsage();
await import(process.argv[2] as string);
const u = process.cpuUsage(before); console.log(process.argv[2], 'cpu', Math.round((u.user + u.system) / 1000), 'boot', Math.round((before.user+before.system)/1000), process.memoryUsage().rss >> 20);
process.exit(0)
