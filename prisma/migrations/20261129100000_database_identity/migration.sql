-- Which database this is, for those that share a NATS server with it. A row, not the cluster's system identifier: it survives a dump, a
-- restore and a failover.
CREATE TABLE "database_identity" (
    "id" UUID NOT NULL DEFAULT gen_random_uuid(),

    CONSTRAINT "database_identity_pkey" PRIMARY KEY ("id")
);

INSERT INTO "database_identity" DEFAULT VALUES;

-- From here on: what the Prisma schema language cannot say.

-- There is one row.
CREATE UNIQUE INDEX "database_identity_is_one" ON "database_identity" ((true));
