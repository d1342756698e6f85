"""The written rules of `agent diff`, one a line: read by `release.rules`, printed by `--rules`.

The question behind each level is: can whoever uses or runs the agent go on without a decision?
MAJOR: no; a caller loses something it relies on, or whoever runs the agent must provide more, or
consent to more. MINOR: yes, and there is something new, or something acts otherwise. PATCH: yes,
and nothing was promised about what changed. NONE: what the agent is has not changed.

A line has a mark, an id, a level, what changed, and why that has this level. Marks: what has `+`
and `-` comes and goes (`tool.required` makes `tool.required-added` and `-removed`), `>` and `<`
undo each other, `~` is undone by one of its kind.
"""

from __future__ import annotations

from typing import Final

TABLE: Final = """
identity
  ~ agent.name-changed      MAJOR name changed: callers find the agent by its name
  ~ agent.version-changed   NONE  version changed: a version says nothing by itself
  ~ agent.created-changed   NONE  date changed: a date says nothing by itself
  ~ agent.parent-changed    PATCH parent changed: what came of it has its own rules
  ~ agent.base-changed      NONE  base image changed: what came of it has its own rules
  ~ agent.metadata-changed  PATCH metadata changed: it describes and promises nothing

interface
  + interface.text          MINOR interface: the agent says what it can do
  - interface.text          MAJOR interface: nothing is promised any more
  + interface.input         MINOR input: callers may give more
  - interface.input         MAJOR input: callers that give it are not understood
  + interface.needed-input  MAJOR required input: callers that do not give it are refused
  - interface.needed-input  MAJOR required input: callers that give it are not understood
  > interface.input-became-required  MAJOR input became required: callers without it are refused
  < interface.input-became-optional  MINOR input became optional: callers may leave it out
  + interface.output        MINOR output: callers get more
  - interface.output        MAJOR output: callers that read it get nothing
  + interface.heading       MINOR heading: the interface was extended
  - interface.heading       MINOR heading: it says less; inputs and outputs have their own rules
  ~ interface.reworded      PATCH interface reworded: inputs and outputs have their own rules

tools
  + tool.required           MAJOR required tool: whoever runs the agent must provide it
  - tool.required           MINOR required tool: the agent works without it
  + tool.optional           MINOR optional tool: the agent can use more
  - tool.optional           MINOR optional tool: the agent does not use it any more
  > tool.became-required    MAJOR tool became required: whoever runs the agent must provide it
  < tool.became-optional    MINOR tool became optional: the agent works without it
  > tool.range-widened      MINOR range widened: more versions of the tool will do
  < tool.range-narrowed     MAJOR range narrowed: a version in use may not do any more
  ~ tool.range-moved        MAJOR range moved: a version in use may not do any more
  ~ tool.range-rewritten    PATCH range rewritten: the same versions will do
  ~ tool.target-changed     MAJOR tool leads elsewhere: what runs behind the name needs consent
  ~ tool.skill-changed      MINOR skill comes from elsewhere: it may act otherwise
  ~ tool.pin-changed        PATCH locked version changed: the range allows both
  ~ tool.setting-changed    MINOR tool setting changed: the tool is used otherwise
  ~ tool.reworded           PATCH tool reworded: it says in words what the tool is for

network
  + egress                  MAJOR host: the agent speaks to it, which needs consent
  - egress                  PATCH host: the agent does not speak to it any more
  + endpoint                MINOR API endpoint: one more can be chosen
  - endpoint                MAJOR API endpoint: whoever chose it is left without
  ~ endpoint.changed        MAJOR API endpoint changed: calls go elsewhere, which needs consent

models
  + model                   MINOR model: one more can be chosen
  - model                   MAJOR model: whoever runs the agent on it cannot any more
  > model.list-closed       MAJOR models restricted: any model could be chosen before
  < model.list-opened       MINOR models unrestricted: those of the list can still be chosen
  ~ model.reordered         PATCH models reordered: the same ones can be chosen
  > temperature.widened     MINOR temperature range widened: more can be chosen
  < temperature.narrowed    MAJOR temperature range narrowed: one in use may be refused
  ~ temperature.moved       MAJOR temperature range moved: one in use may be refused
  ~ temperature.default-changed  MINOR default temperature changed: who chose none gets another
  > context.widened         MINOR context window widened: more models will do
  < context.narrowed        MAJOR context window narrowed: a model in use may not do any more
  ~ context.moved           MAJOR context window moved: a model in use may not do any more
  ~ context.recommended-changed  PATCH recommended context changed: it is a recommendation

behavior
  + behavior                MINOR setting: the agent may act otherwise
  - behavior                MINOR setting: the agent may act otherwise
  ~ behavior.changed        MINOR setting changed: the agent may act otherwise
  > exploration.enabled     MAJOR exploration enabled: looking around by itself needs consent
  < exploration.disabled    MINOR exploration disabled: the agent looks around less

knowledge
  + knowledge               MINOR file: the agent knows more
  - knowledge               MINOR file: it knows less; what it promises is in its interface
  ~ knowledge.changed       PATCH file changed: knowledge was corrected
  ~ knowledge.moved         PATCH file moved: the agent knows the same
  + listed-knowledge        MINOR listed file: the definition names more knowledge
  - listed-knowledge        MINOR listed file: the definition names less knowledge
  + principle               MINOR principle: the agent keeps to more
  - principle               MAJOR principle: the agent does not keep to it any more

files
  + file                    PATCH file: what the agent promises is in its interface
  - file                    PATCH file: what the agent promises is in its interface
  ~ file.changed            PATCH file changed: what the agent promises is in its interface
  ~ file.moved              PATCH file moved: the content is the same
  > file.became-executable  PATCH file became executable: only its mode changed
  < file.became-plain       PATCH file is not executable any more: only its mode changed

permissions
  > permission.granted      MAJOR permission granted: somebody may do more, which needs consent
  < permission.revoked      MAJOR permission revoked: whoever used it is refused
  > limit.raised            MAJOR limit raised: the agent may use up more, which needs consent
  < limit.lowered           MINOR limit lowered: the agent may use up less
  > isolation.loosened      MAJOR isolation loosened: it sees more of its host: needs consent
  < isolation.tightened     MINOR isolation tightened: the agent sees less of its host

constraints
  + constraint              MINOR constraint: the agent is held to more
  - constraint              MAJOR constraint: the agent is not held to it any more
  ~ constraint.changed      MAJOR validation changed: whether it asks for less, no rule can tell
  ~ constraint.reworded     PATCH constraint reworded: what is checked is the same
  + invariant               MINOR invariant: the agent promises more
  - invariant               MAJOR invariant: a promise was taken back

operation
  + health-check            MINOR health check: its health can be seen
  - health-check            MINOR health check: its health cannot be seen any more
  ~ health-check.changed    PATCH health check changed: the runtime reads it from the image
  + metric                  MINOR metric: more can be watched
  - metric                  MAJOR metric: boards and alarms that read it see nothing
  ~ metric.changed          MAJOR metric changed: boards and alarms read its type and labels
  ~ logging.changed         PATCH logging changed: what the agent does is the same
  + log-output              MINOR log output: logs go to one more place
  - log-output              MINOR log output: logs go to one place less

image
  + env                     MINOR variable: the agent is told more
  - env                     MINOR variable: the agent is told less
  ~ env.changed             PATCH variable changed: whoever runs the agent can set it
  ~ entrypoint.changed      MAJOR entrypoint changed: another program has other arguments
  ~ working-dir.changed     MINOR working folder changed: relative paths lead elsewhere
  + label                   PATCH label: labels describe
  - label                   PATCH label: labels describe
  ~ label.changed           PATCH label changed: labels describe
  ~ provenance.changed      NONE  provenance changed: when and from what it was built
  + setting                 MINOR setting: no rule knows it, so it counts as behaviour
  - setting                 MINOR setting: no rule knows it, so it counts as behaviour
  ~ setting.changed         MINOR setting changed: no rule knows it, so it counts as behaviour
"""
