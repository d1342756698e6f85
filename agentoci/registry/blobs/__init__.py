"""How blobs come and go: uploads that find a method and resume, downloads that mend themselves.

May import what `registry` may, and of it the endpoint.
"""
