"""The floor of live ingestion: bare inserts into PostgreSQL, a transaction a batch, over a connection a client."""

import asyncio
import json
import sys
import time

import asyncpg  # type: ignore[import-untyped,unused-ignore]

from tests.bench.peers.bare_rows import INSERT, TABLE, batches


async def main(file: str, address: str, clients: int) -> None:
    """Insert, and print what came of it."""
    found = list(batches(file))
    waiting = iter(found)
    connections = [await asyncpg.connect(address) for _ in range(clients)]
    await connections[0].execute(TABLE.format(number="BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY"))
    insert = INSERT.format(places="$1, $2, $3, $4, $5, $6, $7")

    async def client(connection: asyncpg.Connection) -> None:
        for rows in waiting:
            async with connection.transaction():
                await connection.executemany(insert, rows)

    begun = time.perf_counter()
    await asyncio.gather(*(client(connection) for connection in connections))
    seconds = time.perf_counter() - begun
    count = await connections[0].fetchval("SELECT count(*) FROM events")
    for connection in connections:
        await connection.close()
    sys.stdout.write(json.dumps({"events": count, "seconds": seconds}) + "\n")


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
