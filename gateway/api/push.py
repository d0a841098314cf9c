"""Devices that want to be told through their browser's push service."""

import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Path, Response
from starlette.exceptions import HTTPException

from gateway.alerts.notifiers.channels import Channel, WebPushChannel
from gateway.alerts.notifiers.vapid import Vapid
from gateway.alerts.subscriptions import Subscribed, Subscription, Subscriptions, TooManyDevicesError, is_known_service
from gateway.api.callers import known as known_caller
from gateway.api.callers import viewer
from gateway.api.problems import Problem
from gateway.views import View

SubscriptionId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]


class PushKeyView(View):
    """`key`: for `pushManager.subscribe({applicationServerKey})`. `channels`: what a device can subscribe to."""

    key: str
    channels: tuple[str, ...]


class SubscriptionView(View):
    """A device on record."""

    id: str
    channel: str


def push(channels: Mapping[str, Channel], vapid: Vapid, subscriptions: Subscriptions) -> APIRouter:
    """`/push/key`, `/push/subscriptions`."""
    router = APIRouter(prefix="/api/v1", tags=["push"], dependencies=[Depends(viewer)])
    known = {name: channel for name, channel in channels.items() if isinstance(channel, WebPushChannel)}

    @router.get("/push/key")
    async def key() -> PushKeyView:
        """The gateway's public key. Without channels there is nothing to subscribe to."""
        return PushKeyView(key=vapid.public_key, channels=tuple(known))

    @router.post(
        "/push/subscriptions",
        status_code=HTTPStatus.CREATED,
        dependencies=[Depends(known_caller)],
        responses={404: {"model": Problem}, 409: {"model": Problem}},
    )
    async def subscribe(given: Subscribed) -> SubscriptionView:
        """A PushSubscription as the browser's `toJSON()` has it. The same again is once."""
        name = given.channel or next(iter(known), None)
        if name is None or name not in known:
            raise HTTPException(404, "there is no such channel of type webpush in the gateway's settings")
        if not is_known_service(given.endpoint, known[name].services):
            raise HTTPException(422, "endpoint: not of a push service that this gateway posts to (see `services`)")
        subscription = Subscription.of(given)
        try:
            await subscriptions.put(name, subscription, time.time_ns())
        except TooManyDevicesError as wrong:
            raise HTTPException(409, str(wrong)) from wrong
        return SubscriptionView(id=subscription.id, channel=name)

    @router.delete(
        "/push/subscriptions/{subscription_id}",
        status_code=HTTPStatus.NO_CONTENT,
        dependencies=[Depends(known_caller)],
    )
    async def unsubscribe(subscription_id: SubscriptionId) -> Response:
        """Not there is fine too."""
        await subscriptions.drop(subscription_id)
        return Response(status_code=HTTPStatus.NO_CONTENT)

    return router
