"""The dashboard's paths, below the prefix where it is mounted."""

from django.urls import path

from livesignals.dashboard import processes, takeaway, views

urlpatterns = [
    path("", views.index, name="index"),
    path("events/<str:epoch>/<int:event_id>/", views.event, name="event"),
    path("events/<str:epoch>/<int:event_id>/branch/", views.branch, name="branch"),
    path("causes/<str:epoch>/<str:cause_id>/", views.cause, name="cause"),
    path("range/", views.events_between, name="range"),
    path("download/", takeaway.download, name="download"),
    path("processes/", processes.listing, name="processes"),
    path("recordings/", takeaway.listing, name="recordings"),
    path("static/<path:path>", views.static, name="static"),
]
