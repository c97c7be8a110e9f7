"""Keeps the versions of models loaded that stand in their folders, and finds them by name.

A new version is loaded beside the old one and takes its place once it answers; one that cannot be
loaded takes nobody's place.
"""

import contextlib
import threading
from dataclasses import dataclass, replace

from tfhf.console import say
from tfhf.errors import UserError
from tfhf.exports import versions
from tfhf.serving import statuses
from tfhf.serving.statuses import RequestError, invalid

AVAILABLE = "AVAILABLE"


@dataclass(frozen=True)
class VersionState:
    """What has become of a version.

    Attributes:
        version: int.
        state: `START`, `LOADING`, `AVAILABLE`, `UNLOADING` or `END`.
        error: RequestError for which it ended, or None.
        servable: what answers, while it is available.
        seen: what its files looked like when it was loaded; one that failed is tried again when
            they have changed.
    """

    version: int
    state: str
    error: RequestError | None = None
    servable: object = None
    seen: tuple = ()


class Models:
    """All models of a server.

    Args:
        configs: list of ModelConfig.
        load: makes a Servable of (model's name, version, folder); `servables.load`.
        poll_seconds: how often the folders are looked at.
    """

    def __init__(self, configs, load, *, poll_seconds=1.0):
        self._load = load
        self._poll_seconds = poll_seconds
        self._configs = {config.name: config for config in configs}
        self._states = {config.name: {} for config in configs}  # name → version → VersionState
        self._lock = threading.RLock()  # held to read or change the two, never while loading
        self._refreshing = threading.Lock()
        self._stopping = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="versions", daemon=True)

    def start(self):
        """Loads what is there, and watches the folders from then on.

        Raises:
            UserError: if a model has no version that can be loaded.
        """
        self.refresh()
        try:
            self._check(self._configs)
        except RequestError as error:
            raise UserError(error.message) from error
        self._poller.start()

    def close(self):
        """Stops watching and unloads all versions once they have answered what they were asked."""
        self._stopping.set()
        if self._poller.is_alive():
            self._poller.join()
        with self._refreshing:
            for name in list(self._configs):
                self._unload_all(name)

    def names(self):
        """The names of the models, sorted."""
        with self._lock:
            return sorted(self._configs)

    @contextlib.contextmanager
    def leased(self, name, version=None, label=None):
        """Finds a version and keeps it loaded while it is used.

        Args:
            name: the model's.
            version: int; None: the largest that is available, or what the label says.
            label: a version's label, or None.

        Yields:
            Servable.

        Raises:
            RequestError: NOT_FOUND if it is not available, INVALID_ARGUMENT for an unknown label.
        """
        with self._lock:
            if label:
                version = self.labelled(name, label)
            states = self._states.get(name, {})
            if version is None:
                version = max((v for v, s in states.items() if s.state == AVAILABLE), default=None)
                wanted = f"Latest({name})"
            else:
                wanted = f"Specific({name}, {version})"
            servable = states[version].servable if version in states else None
            if servable is None or not servable.acquire():
                raise RequestError("NOT_FOUND", f"Servable not found for request: {wanted}")
        try:
            yield servable
        finally:
            servable.release()

    def labelled(self, name, label):
        """The version that a label of a model stands for.

        Raises:
            RequestError: INVALID_ARGUMENT if there is no such label.
        """
        with self._lock:
            config = self._configs.get(name)
            if config is None or label not in config.labels:
                raise invalid(f"Unrecognized servable version label: {label}")
            return config.labels[label]

    def labels(self, name, version):
        """The labels that stand for a version, sorted."""
        with self._lock:
            labels = self._configs[name].labels if name in self._configs else {}
            return sorted(label for label, one in labels.items() if one == version)

    def states(self, name, version=None):
        """What has become of a model's versions.

        Args:
            name: the model's.
            version: int; None: all that were ever seen.

        Returns:
            list of VersionState, the largest version first.

        Raises:
            RequestError: NOT_FOUND if there are none.
        """
        with self._lock:
            found = self._states.get(name, {})
            if version is None and not found:
                raise RequestError("NOT_FOUND", f"Could not find any versions of model {name}")
            if version is not None and version not in found:
                raise RequestError("NOT_FOUND", f"Could not find version {version} of model {name}")
            chosen = found if version is None else [version]
            return [found[one] for one in sorted(chosen, reverse=True)]

    def reload(self, configs):
        """Serves other models from now on; those that stay are not interrupted.

        Args:
            configs: list of ModelConfig.

        Raises:
            RequestError: if one of them has no version that can be loaded, or a label of a version
                that is not available; everything is then as it was.
        """
        changed = {config.name: config for config in configs}
        with self._lock:
            before = self._configs
            self._configs = changed
            for name in changed:
                self._states.setdefault(name, {})
        self.refresh()
        try:
            self._check(changed)
        except RequestError:
            with self._lock:
                self._configs = before
            self.refresh()
            raise
        finally:
            with self._refreshing:
                for name in set(self._states) - set(self._configs):
                    self._unload_all(name)

    def refresh(self):
        """Looks at the folders once, and loads and unloads what they ask for."""
        with self._refreshing:
            for config in list(self._configs.values()):
                self._refresh(config)

    def _poll(self):
        while not self._stopping.wait(self._poll_seconds):
            try:
                self.refresh()
            except Exception as error:  # the next look may fare better; the server goes on
                say(f"looking for versions: {type(error).__name__}: {error}")

    def _refresh(self, config):
        folders = _numbered(config.base_path)
        wanted = config.wanted(folders)
        for version in wanted:
            if not self._stopping.is_set():
                self._load_new(config.name, version, folders[version])
        states = self._states[config.name]
        if any(states[v].state == AVAILABLE for v in wanted if v in states):
            for version in set(states) - set(wanted):
                self._unload(config.name, version)

    def _load_new(self, name, version, folder):
        """Loads a version, unless it is there, or is known to fail and has not changed."""
        states, seen = self._states[name], _seen(folder)
        known = states.get(version)
        if known and (known.state == AVAILABLE or (known.error and known.seen == seen)):
            return
        self._set(name, VersionState(version, "LOADING"))
        try:
            servable = self._load(name, version, folder)
        except Exception as error:  # whatever is wrong with it must not stop the others
            reason = statuses.of(error)
            self._set(name, VersionState(version, "END", reason, seen=seen))
            say(f"{name}: version {version} cannot be served: {reason.message}")
            return
        self._set(name, VersionState(version, AVAILABLE, servable=servable, seen=seen))
        say(f"{name}: version {version} is served")

    def _unload_all(self, name):
        for version in list(self._states[name]):
            self._unload(name, version)

    def _unload(self, name, version):
        state = self._states[name][version]
        if state.servable:
            self._set(name, replace(state, state="END", servable=None))
            state.servable.release()  # closed when the last request has its answer

    def _set(self, name, state):
        with self._lock:
            self._states[name][state.version] = state

    def _check(self, configs):
        """Every model needs an available version, and every label one that is available."""
        for name, config in configs.items():
            states = self._states[name]
            ready = [v for v, state in states.items() if state.state == AVAILABLE]
            if not ready:
                errors = [state.error for _, state in sorted(states.items()) if state.error]
                if errors:
                    raise RequestError(
                        errors[-1].code, f"model {name} cannot be served: {errors[-1].message}"
                    )
                raise RequestError("NOT_FOUND", f"no version of {name} in {config.base_path}")
            for label, version in config.labels.items():
                if version not in ready:
                    raise RequestError(
                        "FAILED_PRECONDITION",
                        f"Request to assign label {label} to version {version} of model {name}, "
                        "which is not currently available for inference",
                    )


def _numbered(base_path):
    """Version → folder; none where there is nothing to read."""
    try:
        return versions.numbered(base_path)
    except OSError:
        return {}


def _seen(folder):
    """What tells whether the files of a version have changed."""
    found = []
    for path in (folder, folder / "saved_model.pb", folder / "variables"):
        try:
            found.append(path.stat().st_mtime_ns)
        except OSError:
            found.append(None)
    return tuple(found)
