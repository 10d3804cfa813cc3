-- A trade that the broker did not get to in time is rejected with a code of its own.
ALTER TYPE "reject_code" ADD VALUE 'WAITED_TOO_LONG';

-- A trade that waits for the open may be sent back by an exchange that is closed: it is placed again, and its next submission is
-- another attempt. When trades end is stored for every end.
ALTER TABLE "trades" ADD COLUMN "attempt" INTEGER NOT NULL DEFAULT 0,
    ADD COLUMN "ended_at" TIMESTAMPTZ(3);

-- Since when a trade that was sent back waits: it is passed over in the session that it came back in. In no index.
ALTER TABLE "open_trades" ADD COLUMN "queued_at" TIMESTAMPTZ(3);

-- Of which history of the database an epoch is: a promoted standby writes another timeline, and may have lost the last commits.
ALTER TABLE "partition_leases" ADD COLUMN "timeline" VARCHAR(8);

-- From here on: what the Prisma schema language cannot say.

-- One that was sent back keeps the limit, the hold and the time of its last mark, so that one update settles and sends back alike.
ALTER TABLE "trades" DROP CONSTRAINT "trades_status_complete",
    ADD CONSTRAINT "trades_status_complete" CHECK (CASE "status"
        WHEN 'placed' THEN num_nonnulls("price", "executed_at", "reject_code") = 0
            AND num_nonnulls("limit_price", "hold", "submitted_at") = CASE WHEN "attempt" = 0 THEN 0 ELSE 3 END
        WHEN 'executed' THEN num_nulls("limit_price", "hold", "submitted_at") = 0 AND num_nonnulls("price", "executed_at", "reject_code") = 0
        WHEN 'filled' THEN num_nulls("limit_price", "hold", "submitted_at", "price", "execution_id", "executed_at") = 0 AND "reject_code" IS NULL
        WHEN 'rejected' THEN num_nulls("reject_code", "reason") = 0 AND "price" IS NULL
    END);

-- placed -> executed | rejected, executed -> filled | rejected; and executed -> placed, as the next attempt of a trade that waits for
-- the open.
CREATE OR REPLACE TRIGGER "trades_transition" BEFORE UPDATE ON "trades" FOR EACH ROW
    WHEN (NOT (OLD."status" = 'placed' AND NEW."status" IN ('executed', 'rejected') AND NEW."attempt" >= OLD."attempt")
      AND NOT (OLD."status" = 'executed' AND NEW."status" IN ('filled', 'rejected') AND NEW."attempt" = OLD."attempt")
      AND NOT (OLD."status" = 'executed' AND NEW."status" = 'placed' AND OLD."queue_for_open" AND NEW."attempt" = OLD."attempt" + 1))
    EXECUTE FUNCTION refuse_trade_change();
