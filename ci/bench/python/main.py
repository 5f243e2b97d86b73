"""The same routes, data and answers by FastAPI, SQLAlchemy and httpx, and the same spans by the instrumentation that
OpenTelemetry has for them. TELEMETRY=off: without. What is usual, and where there is a choice what is faster."""

import os
import socket
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException, Query
from fastapi.responses import JSONResponse
from opentelemetry import metrics, trace
from pydantic import BaseModel
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import create_async_engine

TELEMETRY = os.environ.get("TELEMETRY") != "off"
MIGRATIONS = Path(__file__).parents[3] / "template/migrations/sqlite"
SELECT_USER = text("SELECT id, name, email FROM users WHERE id = :id")
SEARCH = text(
    "SELECT id, name, category, price_cents FROM products"
    " WHERE instr(lower(name), lower(:q)) > 0 AND (:category = '' OR category = :category)"
    " ORDER BY id LIMIT :limit"
)


class User(BaseModel):
    id: int
    name: str
    email: str


class Product(BaseModel):
    id: int
    name: str
    category: str
    price_cents: int


class Found(BaseModel):
    count: int
    products: list[Product]


class Reply(BaseModel):
    status: int
    bytes: int


engine = create_async_engine("sqlite+aiosqlite:///service.db", pool_size=10)
client = httpx.AsyncClient(timeout=300, trust_env=False)
upstream = os.environ.get("UPSTREAM_URL", "")


@event.listens_for(engine.sync_engine, "connect")
def connected(connection, _):
    connection.execute("PRAGMA journal_mode = WAL")


def inner(name):
    """A span of one's own."""
    if TELEMETRY:
        return trace.get_tracer("bench").start_as_current_span(name)
    return nullcontext(trace.INVALID_SPAN)


@asynccontextmanager
async def lifespan(_):
    async with engine.begin() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        schema = sorted(path for path in MIGRATIONS.glob("*.sql") if path.name != "seed.sql")
        for path in [*schema, MIGRATIONS / "seed.sql"]:
            await raw.executescript(path.read_text())
    yield
    await client.aclose()
    await engine.dispose()
    if TELEMETRY:
        trace.get_tracer_provider().shutdown()
        metrics.get_meter_provider().shutdown()


app = FastAPI(lifespan=lifespan)


@app.exception_handler(HTTPException)
async def problem(_, error):
    body = {"type": "about:blank", "title": error.detail, "status": error.status_code}
    return JSONResponse(body, error.status_code, media_type="application/problem+json")


@app.get("/users/{id}")
async def user(id: int) -> User:
    with inner("db.get_user") as span:
        span.set_attribute("user.id", id)
        async with engine.connect() as connection:
            row = (await connection.execute(SELECT_USER, {"id": id})).mappings().first()
        span.set_attribute("db.result", "found" if row else "not_found")
    if row is None:
        raise HTTPException(404, "no such user")
    return User(**row)


@app.get("/products")
async def search(
    q: str = "", category: str = "", limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> Found:
    with inner("product.search") as span:
        span.set_attribute("search.query", q)
        async with engine.connect() as connection:
            values = {"q": q, "category": category, "limit": limit}
            rows = (await connection.execute(SEARCH, values)).mappings().all()
        span.set_attribute("search.result_count", len(rows))
    products = [Product(**row) for row in rows]
    return Found(count=len(products), products=products)


@app.post("/external")
async def external() -> Reply:
    with inner("external_api.call"):
        answer = await client.get(upstream)
    return Reply(status=answer.status_code, bytes=len(answer.content))


def instrument():
    """Traces and metrics over OTLP/gRPC, by the environment's settings."""
    from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter
    from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.fastapi import FastAPIInstrumentor
    from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
    from opentelemetry.instrumentation.sqlalchemy import SQLAlchemyInstrumentor
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    traces = TracerProvider()
    traces.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(insecure=True)))
    trace.set_tracer_provider(traces)
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(insecure=True))
    metrics.set_meter_provider(MeterProvider(metric_readers=[reader]))
    # Without those for each message of ASGI.
    FastAPIInstrumentor.instrument_app(app, exclude_spans=["receive", "send"])
    SQLAlchemyInstrumentor().instrument(engine=engine.sync_engine)
    HTTPXClientInstrumentor.instrument_client(client)


if __name__ == "__main__":
    if TELEMETRY:
        instrument()
    listener = socket.create_server(("127.0.0.1", int(os.environ.get("PORT", "8080"))))
    host, port = listener.getsockname()
    print(f'{{"message":"listening","address":"{host}:{port}"}}', flush=True)
    config = uvicorn.Config(
        app, loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
    uvicorn.Server(config).run(sockets=[listener])
