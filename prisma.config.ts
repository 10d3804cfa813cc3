import { defineConfig } from 'prisma/config';

// For the `prisma` command, which needs Prisma's engines (docs/decisions/0012); the project itself migrates with `npm run db:migrate`.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
