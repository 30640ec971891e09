"""Announces up to 100 deliveries, or asks for the availability of up to 100 connections, in one request.

Each item has its own result: the status, body or problem that a request of its own would have had. All items are
stored in one transaction, so a hub that is killed has done all of a batch or nothing, and an Idempotency-Key counts for
the whole batch.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from http import HTTPStatus
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, Field, GetPydanticSchema, JsonValue, ValidationError
from pydantic_core import core_schema
from sqlalchemy import and_, select
from sqlalchemy.exc import IntegrityError

from gateway.domain.delivery.promise import Id, Instant
from gateway.hub.api import deliveries, delivery_models
from gateway.hub.api.connections import Availability, availability_of
from gateway.hub.api.delivery_models import ConnectionId
from gateway.hub.api.rows import owned_by
from gateway.hub.api.validation_errors import problem_of
from gateway.hub.database.savepoint import savepoint
from gateway.hub.database.tables import connections, homes
from gateway.hub.http.operation import ApiAccess, Model, OperationGroup, RequestContext, Response
from gateway.hub.http.problem import ApiProblem, Code, Document, concurrent_request

MAX_ITEMS = 100
MAX_BATCH_BYTES = 1_048_576

M = TypeVar("M", bound=BaseModel)


def _item_of(model: type[BaseModel]) -> GetPydanticSchema:
    """Return the schema of an item: the document shows the model's, and the item itself is validated later, alone."""
    return GetPydanticSchema(
        lambda _source, handler: core_schema.no_info_wrap_validator_function(_keep, handler.generate_schema(model))
    )


def _keep(item: JsonValue, _validate: core_schema.ValidatorFunctionWrapHandler) -> JsonValue:
    return item


_ITEMS_FIELD = Field(min_length=1, max_length=MAX_ITEMS)


class AvailabilityQuestion(Model):
    """A question about one connection; times, `entrance` and `place` as in `readAvailability`."""

    connection: ConnectionId
    start: Instant
    end: Instant
    entrance: Id | None = None
    place: Id | None = None


class DeliveryBatch(Model):
    """Deliveries to announce, each as in `createDelivery`."""

    items: Annotated[tuple[Annotated[JsonValue, _item_of(delivery_models.NewDelivery)], ...], _ITEMS_FIELD]


class AvailabilityBatch(Model):
    """Questions about connections, of which each has its own times."""

    items: Annotated[tuple[Annotated[JsonValue, _item_of(AvailabilityQuestion)], ...], _ITEMS_FIELD]


class BatchItemResult(Model, Generic[M]):
    """What became of the item at this `index`: the `status` and the `body` or `problem` of a request of its own."""

    index: Annotated[int, Field(ge=0, lt=MAX_ITEMS)]
    status: int
    body: M | None = None
    problem: Document | None = None


class DeliveryItemResult(BatchItemResult[delivery_models.MadeDelivery]):
    """What became of one delivery: a `body` if it was announced, or the `problem`."""


class AvailabilityItemResult(BatchItemResult[Availability]):
    """The answer about one connection: a `body`, or the `problem`."""


class DeliveryBatchResult(Model):
    """What became of each item, in the order of the batch."""

    data: Annotated[tuple[DeliveryItemResult, ...], Field(max_length=MAX_ITEMS)]


class AvailabilityBatchResult(Model):
    """The answer to each question, in the order of the batch."""

    data: Annotated[tuple[AvailabilityItemResult, ...], Field(max_length=MAX_ITEMS)]


BATCHES = OperationGroup("Batches")


@BATCHES.add(
    "POST", "/v1/delivery_batches", "createDeliveries", max_body_bytes=MAX_BATCH_BYTES,
    looks_first=True,  # its items count against the limits, and an item that the database refuses does not run again
)  # fmt: skip
async def create(call: RequestContext, body: DeliveryBatch) -> Response[DeliveryBatchResult]:
    """Announce up to 100 deliveries. Each item has its own result, and one that is refused does not stop the others.

    The answer is 200 whatever became of the items. Each item counts against the limit of writes.
    """
    headers = call.take_items(len(body.items) - 1)

    async def announce(item: JsonValue) -> tuple[int, delivery_models.MadeDelivery | None]:
        new = _parsed(delivery_models.NewDelivery, item)
        if isinstance(new, ApiProblem):
            raise new

        async def create_() -> Response[delivery_models.MadeDelivery]:
            async with savepoint(call.tx, ApiProblem, IntegrityError):
                return await deliveries.create(call, new)

        try:
            response = await create_()
        except IntegrityError:  # a concurrent request won, and the next attempt sees what it did
            response = await create_()
        return response.status or HTTPStatus.CREATED, response.body

    results = await _results(call, "/v1/deliveries", body.items, announce, DeliveryItemResult)
    return Response(DeliveryBatchResult(data=results), headers=headers)


@BATCHES.add(
    "POST", "/v1/availability", "readAvailabilities", right=ApiAccess.READ, only_asks=True,
    max_body_bytes=MAX_BATCH_BYTES,
)  # fmt: skip
async def availabilities(call: RequestContext, body: AvailabilityBatch) -> Response[AvailabilityBatchResult]:
    """Ask for up to 100 connections whether their homes can take a delivery, such as at the checkout.

    Each question counts against the limit of reads.
    """
    headers = call.take_items(len(body.items) - 1)
    questions = [_parsed(AvailabilityQuestion, item) for item in body.items]
    named = {question.connection for question in questions if isinstance(question, AvailabilityQuestion)}
    home = and_(homes.c.id == connections.c.home, homes.c.revoked.is_(None))
    wanted = (
        select(connections, homes.c.said.label("report")).outerjoin(homes, home)
        .where(owned_by(call.caller, connections), connections.c.id.in_(sorted(named)))
    )  # fmt: skip
    rows = {row.id: row for row in await call.tx.execute(wanted)}

    async def answer(question: AvailabilityQuestion | ApiProblem) -> tuple[int, Availability]:
        if isinstance(question, ApiProblem):
            raise question
        row = rows.get(question.connection)
        if row is None:
            raise ApiProblem(Code.NOT_FOUND)
        span = (question.start, question.end, question.entrance)
        found = availability_of(row, row.report, *span, place=question.place, now=call.now, where="body")
        return HTTPStatus.OK, found

    results = await _results(call, "/v1/availability", questions, answer, AvailabilityItemResult)
    return Response(AvailabilityBatchResult(data=results), headers=headers)


T = TypeVar("T")
R = TypeVar("R", DeliveryItemResult, AvailabilityItemResult)


async def _results(
    call: RequestContext,
    path: str,
    items: Sequence[T],
    perform: Callable[[T], Awaitable[tuple[int, BaseModel | None]]],
    model: type[R],
) -> tuple[R, ...]:
    """Perform each item, one after the other, and return what became of each."""
    results = []
    for index, item in enumerate(items):
        try:
            status, answer = await perform(item)
            facts: dict[str, Any] = {"status": int(status), "body": answer}
        except (ApiProblem, IntegrityError) as error:
            problem = error if isinstance(error, ApiProblem) else concurrent_request()
            facts = {
                "status": int(problem.code.kind.status),
                "problem": problem.document(call.url, path, call.request_id),
            }
        results.append(model(index=index, **facts))
    return tuple(results)


def _parsed(model: type[M], item: JsonValue) -> M | ApiProblem:
    """Return the item, or the problem if it is not valid."""
    try:
        return model.model_validate_json(json.dumps(item))
    except ValidationError as error:
        return problem_of(error, "body")
