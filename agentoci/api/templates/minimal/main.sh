# AGENT_HOME holds what the image brings; AGENT_MEMORY outlives every run.
echo "@@NAME@@ knows:"
ls "$AGENT_HOME/knowledge"
echo "${*:-run}" >>"$AGENT_MEMORY/asked"
