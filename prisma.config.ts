import { defineConfig } from 'prisma/config';

// For the `prisma` command of whoever has its engines; the project itself migrates with `npm run db:migrate`.
export default defineConfig({
  schema: 'prisma/schema.prisma',
  migrations: { path: 'prisma/migrations' },
  datasource: { url: process.env.DATABASE_URL ?? '' },
});
